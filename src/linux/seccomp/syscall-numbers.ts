/* The numbers of every system call on every architecture, as Linux 7.1 has them. Data, not code: a column for an
 * architecture, in the order of NAMES; `-` stands for a call that it lacks, `-12` for twelve in a row. Where an
 * ABI counts from a base (MIPS from 4000, 5000, 6000; x32 from bit 30), the column is without it. */

/** Every system call's name, sorted; columns follow this order. */
export const NAMES: string = `
_llseek _newselect _sysctl accept accept4 access acct add_key adjtimex afs_syscall alarm arch_prctl arm_fadvise64_64
arm_sync_file_range atomic_barrier atomic_cmpxchg_32 bdflush bind bpf break breakpoint brk cachectl cacheflush
cachestat capget capset chdir chmod chown chown32 chroot clock_adjtime clock_adjtime64 clock_getres
clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 clock_settime
clock_settime64 clone clone3 close close_range connect copy_file_range creat create_module delete_module dup dup2
dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_init
fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
file_getattr file_setattr finit_module flistxattr flock fork fremovexattr fsconfig fsetxattr fsmount fsopen fspick
fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftime ftruncate ftruncate64 futex futex_requeue futex_time64
futex_wait futex_waitv futex_wake futimesat get_kernel_syms get_mempolicy get_robust_list get_thread_area get_tls
getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32
getitimer getpagesize getpeername getpgid getpgrp getpid getpmsg getppid getpriority getrandom getresgid getresgid32
getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr
getxattrat gtty idle init_module inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit io_uring_enter io_uring_register io_uring_setup
ioctl ioperm iopl ioprio_get ioprio_set ipc kcmp kexec_file_load kexec_load keyctl kill landlock_add_rule
landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listns
listxattr listxattrat llistxattr lock lookup_dcookie lremovexattr lseek lsetxattr lsm_get_self_attr lsm_list_modules
lsm_set_self_attr lstat lstat64 madvise map_shadow_stack mbind membarrier memfd_create memfd_secret migrate_pages
mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mount mount_setattr move_mount
move_pages mprotect mpx mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync multiplexer munlock munlockall munmap
name_to_handle_at nanosleep newfstatat nfsservctl nice oldfstat oldlstat oldolduname oldstat olduname open
open_by_handle_at open_tree open_tree_attr openat openat2 pause pciconfig_iobase pciconfig_read pciconfig_write
perf_event_open personality pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pivot_root pkey_alloc pkey_free
pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_madvise process_mrelease
process_vm_readv process_vm_writev prof profil pselect6 pselect6_time64 ptrace putpmsg pwrite64 pwritev pwritev2
query_module quotactl quotactl_fd read readahead readdir readlink readlinkat readv reboot recv recvfrom recvmmsg
recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 request_key
restart_syscall riscv_flush_icache riscv_hwprobe rmdir rseq rseq_slice_yield rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
rtas s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr s390_sthyi
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
sched_yield seccomp security select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64
sendmmsg sendmsg sendto set_mempolicy set_mempolicy_home_node set_robust_list set_thread_area set_tid_address
set_tls setdomainname setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 sethostname
setitimer setns setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid
setreuid32 setrlimit setsid setsockopt settimeofday setuid setuid32 setxattr setxattrat sgetmask shmat shmctl shmdt
shmget shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend socket
socketcall socketpair splice spu_create spu_run ssetmask stat stat64 statfs statfs64 statmount statx stime stty
subpage_prot swapcontext swapoff swapon switch_endian symlink symlinkat sync sync_file_range sync_file_range2 syncfs
sys_debug_setcontext syscall sysfs sysinfo syslog sysmips tee tgkill time timer_create timer_delete timer_getoverrun
timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd timerfd_create timerfd_gettime timerfd_gettime64
timerfd_settime timerfd_settime64 times tkill truncate truncate64 tuxcall ugetrlimit ulimit umask umount umount2
uname unlink unlinkat unshare uprobe uretprobe uselib userfaultfd usr26 usr32 ustat utime utimensat utimensat_time64
utimes vfork vhangup vm86 vm86old vmsplice vserver wait4 waitid waitpid write writev
`

export const X86_64: string = `
-2 156 43 288 21 163 248 159 183 37 158 -5 49 321 -2 12 -2 451 125 126 80 90 92 - 161 305 - 229 - 228 - 230 - 227 -
56 435 3 436 42 326 85 174 176 32 33 292 213 291 233 214 281 441 232 215 284 290 59 322 60 231 269 439 221 - 285 300
301 81 91 268 452 93 - 260 72 - 75 193 468 469 313 196 73 57 199 431 190 432 430 433 5 -2 138 - 74 - 77 - 202 456 -
455 449 454 261 177 239 274 211 - 309 79 78 217 108 - 107 - 104 - 115 - 36 - 52 121 111 39 181 110 140 318 120 - 118
- 97 98 124 51 55 186 96 102 - 191 464 -2 175 254 253 294 255 210 207 208 333 - 206 209 426 427 425 16 173 172 252
251 - 312 320 246 250 62 445 444 446 94 - 192 86 265 50 458 470 194 465 195 - 212 198 8 189 459 461 460 6 - 28 453
237 324 319 447 256 27 83 258 133 259 149 325 151 9 - 154 165 442 429 279 10 - 245 244 240 243 - 242 - 241 25 462 71
68 70 69 26 - 150 152 11 303 35 262 180 -6 2 304 428 467 257 437 34 -3 298 135 438 434 424 22 293 155 330 331 329 7
271 - 157 17 295 327 302 440 448 310 311 -2 270 - 101 182 18 296 328 178 179 443 0 187 - 89 267 19 169 - 45 299 - 47
216 197 466 82 264 316 249 219 -2 84 334 471 13 127 14 129 15 130 128 - 297 -6 146 147 204 315 143 145 148 - 203 314
142 144 24 317 185 23 66 64 65 220 -2 40 - 307 46 44 238 450 273 205 218 - 171 123 - 122 - 106 - 116 - 170 38 308
109 141 114 - 119 - 117 - 113 - 160 112 54 164 105 - 188 463 - 30 31 67 29 48 - 131 - 282 289 -4 41 - 53 275 -3 4 -
137 - 457 332 -4 168 167 - 88 266 162 277 - 306 -2 139 99 103 - 276 234 201 222 226 225 224 - 223 -2 283 287 - 286 -
100 200 76 - 184 -2 95 - 166 63 87 263 272 336 335 134 323 -2 136 132 280 - 235 58 153 -2 278 236 61 247 - 1 20
`

export const X32: string = `
-3 43 288 21 163 248 159 183 37 158 -5 49 321 -2 12 -2 451 125 126 80 90 92 - 161 305 - 229 - 228 - 230 - 227 - 56
435 3 436 42 326 85 - 176 32 33 292 213 291 233 - 281 441 232 - 284 290 520 545 60 231 269 439 221 - 285 300 301 81
91 268 452 93 - 260 72 - 75 193 468 469 313 196 73 57 199 431 190 432 430 433 5 -2 138 - 74 - 77 - 202 456 - 455 449
454 261 - 239 531 -2 309 79 78 217 108 - 107 - 104 - 115 - 36 - 52 121 111 39 181 110 140 318 120 - 118 - 97 98 124
51 542 186 96 102 - 191 464 -2 175 254 253 294 255 210 207 208 333 - 543 544 426 427 425 514 173 172 252 251 - 312
320 528 250 62 445 444 446 94 - 192 86 265 50 458 470 194 465 195 - 212 198 8 189 459 461 460 6 - 28 453 237 324 319
447 256 27 83 258 133 259 149 325 151 9 - 154 165 442 429 533 10 - 245 527 240 243 - 242 - 241 25 462 71 68 70 69 26
- 150 152 11 303 35 262 -7 2 304 428 467 257 437 34 -3 298 135 438 434 424 22 293 155 330 331 329 7 271 - 157 17 534
546 302 440 448 539 540 -2 270 - 521 182 18 535 547 - 179 443 0 187 - 89 267 515 169 - 517 537 - 519 216 197 466 82
264 316 249 219 -2 84 334 471 512 522 14 524 513 130 523 - 536 -6 146 147 204 315 143 145 148 - 203 314 142 144 24
317 185 23 66 64 65 220 -2 40 - 538 518 44 238 450 530 - 218 - 171 123 - 122 - 106 - 116 - 170 38 308 109 141 114 -
119 - 117 - 113 - 160 112 541 164 105 - 188 463 - 30 31 67 29 48 - 525 - 282 289 -4 41 - 53 275 -3 4 - 137 - 457 332
-4 168 167 - 88 266 162 277 - 306 -2 139 99 103 - 276 234 201 526 226 225 224 - 223 -2 283 287 - 286 - 100 200 76 -
184 -2 95 - 166 63 87 263 272 336 335 - 323 -2 136 132 280 - 235 58 153 -2 532 - 61 529 - 1 516
`

export const X86: string = `
140 142 149 - 364 33 51 286 124 137 27 384 -4 134 361 357 17 - 45 -2 451 184 185 12 15 182 212 61 343 405 266 406
265 403 267 407 264 404 120 435 6 436 362 377 8 127 129 41 63 330 254 329 255 - 319 441 256 - 323 328 11 358 1 252
307 439 250 272 324 338 339 133 94 306 452 95 207 298 55 221 148 231 468 469 350 234 143 2 237 431 228 432 430 433
108 197 300 100 269 118 35 93 194 240 456 422 455 449 454 299 130 275 312 244 - 318 183 141 220 50 202 49 201 47 200
80 205 105 - 368 132 65 20 188 64 96 355 171 211 165 209 76 77 147 367 365 224 78 24 199 229 464 32 112 128 292 291
332 293 249 246 247 385 416 245 248 426 427 425 54 101 110 290 289 117 349 - 283 288 37 445 444 446 16 198 230 9 303
363 458 470 232 465 233 53 253 236 19 227 459 461 460 107 196 219 453 274 375 356 447 294 218 39 296 14 297 150 376
152 90 192 123 21 442 429 317 125 56 282 281 277 280 419 279 418 278 163 462 402 399 401 400 144 - 151 153 91 341
162 - 169 34 28 84 59 18 109 5 342 428 467 295 437 29 -3 336 136 438 434 424 42 331 217 381 382 380 168 309 414 172
180 333 378 340 440 448 347 348 44 98 308 413 26 189 181 334 379 167 131 443 3 225 89 85 305 145 88 - 371 337 417
372 257 235 466 38 302 353 287 0 -2 40 386 471 174 176 175 178 173 179 177 421 335 -6 159 160 242 352 155 157 161
423 241 351 154 156 158 354 - 82 394 393 -2 420 - 187 239 345 370 369 276 450 311 243 258 - 121 139 216 138 215 46
214 81 206 74 104 346 57 97 71 204 170 210 164 208 70 203 75 66 366 79 23 213 226 463 68 397 396 398 395 373 67 186
48 321 327 73 126 119 72 359 102 360 313 -2 69 106 195 99 268 457 383 25 31 -2 115 87 - 83 304 36 314 - 344 -2 135
116 103 - 315 270 13 259 263 262 261 408 260 409 - 322 326 410 325 411 43 238 92 193 - 191 58 60 22 52 122 10 301
310 -2 86 374 -2 62 30 320 412 271 190 111 166 113 316 273 114 284 7 4 146
`

export const AARCH64: string = `
-3 202 242 - 89 217 171 -8 200 280 -2 214 -2 451 90 91 49 -3 51 266 - 114 - 113 - 115 - 112 - 220 435 57 436 203 285
-2 106 23 - 24 - 20 21 - 22 441 -3 19 221 281 93 94 48 439 223 - 47 262 263 50 52 53 452 55 - 54 25 - 83 10 468 469
273 13 32 - 16 431 7 432 430 433 80 -2 44 - 82 - 46 - 98 456 - 455 449 454 -2 236 100 -2 168 17 - 61 177 - 175 - 176
- 158 - 102 - 205 155 - 172 - 173 141 278 150 - 148 - 163 165 156 204 209 178 169 174 - 8 464 -2 105 27 - 26 28 3 1
4 292 - 0 2 426 427 425 29 -2 31 30 - 272 294 104 219 129 445 444 446 -2 9 - 37 201 458 470 11 465 12 - 18 15 62 6
459 461 460 -2 233 453 235 283 279 447 238 232 - 34 - 33 228 284 230 222 -2 40 442 429 239 226 - 185 184 180 183 -
182 - 181 216 462 187 186 188 189 227 - 229 231 215 264 101 79 42 -7 265 428 467 56 437 -4 241 92 438 434 424 - 59
41 289 290 288 - 73 - 167 67 69 286 261 440 448 270 271 -2 72 - 117 - 68 70 287 - 60 443 63 213 -2 78 65 142 - 207
243 - 212 234 14 466 - 38 276 218 128 -3 293 471 134 136 135 138 139 133 137 - 240 -6 125 126 123 275 121 120 127 -
122 274 118 119 124 277 -2 191 190 193 192 -2 71 - 269 211 206 237 450 99 - 96 - 162 152 - 151 - 144 - 159 - 161 103
268 154 140 143 - 149 - 147 - 145 - 164 157 208 170 146 - 5 463 - 196 195 197 194 210 - 132 -2 74 -4 198 - 199 76 -5
43 - 457 291 -4 225 224 -2 36 81 84 - 267 -3 179 116 - 77 131 - 107 111 109 108 - 110 -2 85 87 - 86 - 153 130 45 -4
166 - 39 160 - 35 97 -3 282 -4 88 -3 58 -2 75 - 260 95 - 64 66
`

export const ARM: string = `
140 142 149 285 366 33 51 309 124 -3 270 341 -2 134 282 386 - 983041 45 - 983042 451 184 185 12 15 182 212 61 372
405 264 406 263 403 265 407 262 404 120 435 6 436 283 391 8 - 129 41 63 358 250 357 251 - 346 441 252 - 351 356 11
387 1 248 334 439 -2 352 367 368 133 94 333 452 95 207 325 55 221 148 231 468 469 379 234 143 2 237 431 228 432 430
433 108 197 327 100 267 118 - 93 194 240 456 422 455 449 454 326 - 320 339 - 983046 345 183 141 217 50 202 49 201 47
200 80 205 105 - 287 132 65 20 - 64 96 384 171 211 165 209 - 77 147 286 295 224 78 24 199 229 464 -2 128 317 316 360
318 247 244 245 399 416 243 246 426 427 425 54 -2 315 314 - 378 401 347 311 37 445 444 446 16 198 230 9 330 284 458
470 232 465 233 - 249 236 19 227 459 461 460 107 196 220 453 319 389 385 - 400 219 39 323 14 324 150 390 152 - 192 -
21 442 429 344 125 - 279 278 274 277 419 276 418 275 163 462 304 303 302 301 144 - 151 153 91 370 162 - 169 34 -5 5
371 428 467 322 437 29 271 272 273 364 136 438 434 424 42 359 218 395 396 394 168 336 414 172 180 361 392 369 440
448 376 377 -2 335 413 26 - 181 362 393 - 131 443 3 225 - 85 332 145 88 291 292 365 417 297 253 235 466 38 329 382
310 0 -2 40 398 471 174 176 175 178 173 179 177 421 363 -6 159 160 242 381 155 157 161 423 241 380 154 156 158 383
-2 300 299 298 312 420 289 187 239 374 296 290 321 450 338 - 256 983045 121 139 216 138 215 46 214 81 206 74 104 375
57 97 71 204 170 210 164 208 70 203 75 66 294 79 23 213 226 463 - 305 308 306 307 293 67 186 - 349 355 73 126 119 72
281 - 288 340 -3 106 195 99 266 457 397 -4 115 87 - 83 331 36 -2 373 -2 135 116 103 - 342 268 - 257 261 260 259 408
258 409 - 350 354 410 353 411 43 238 92 193 - 191 - 60 - 52 122 10 328 337 -2 86 388 983043 983044 62 - 348 412 269
190 111 -2 343 313 114 280 - 4 146
`
