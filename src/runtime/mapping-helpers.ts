import type { UserNamespace } from './spec.ts'

export const mapWithHelpers = async (pid: number, userNamespace: UserNamespace): Promise<void> => {
  void pid
  void userNamespace
}
