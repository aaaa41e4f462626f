/**
 * The files of version 1 (Documentation/admin-guide/cgroup-v1/), a line for each: its name, what it holds, the short
 * name for it, what it holds as long as nobody has set it, and what it is. `control-file.ts` reads it.
 */
export const CONTROL_FILES_V1: string = `
cgroup.procs                              | processes    |              |           | The processes in this group. A process written here moves in with all its threads.
tasks                                     | processes    |              |           | The threads in this group. One written here moves alone.
cgroup.clone_children                     | switch       |              |           | Whether new groups below take over the cpuset of this one.
cgroup.event_control                      | text         |              |           | Where a program registers an eventfd to be told of a threshold, of pressure, or of out of memory.
notify_on_release                         | switch       |              |           | Whether the release agent is started when the group gets empty.
release_agent                             | text         |              |           | The program that is started when a group gets empty. Of the root alone.
cgroup.sane_behavior                      | switch       |              |           | Always 0 in version 1.
cpu.shares                                | number       | cpu-shares   | 1024      | Its share of processor time when there is not enough for all: 2 to 262144, by default 1024.
cpu.cfs_quota_us                          | quota        | cpus         | max       | The most processor time in each period, in microseconds; -1 is no limit.
cpu.cfs_period_us                         | microseconds |              | 100000    | The period that the quota is for.
cpu.cfs_burst_us                          | microseconds | cpu-burst    | 0         | How much unused quota may be saved up and spent in a burst.
cpu.idle                                  | switch       | cpu-idle     | 0         | Whether it runs only when nothing else wants to.
cpu.rt_runtime_us                         | microseconds |              | 0         | Realtime processor time in each realtime period.
cpu.rt_period_us                          | microseconds |              | 1000000   | The period that the realtime processor time is for.
cpu.stat                                  | keyed        |              |           | How often and how long the quota held it back.
cpu.stat.local                            | keyed        |              |           | How long its own quota, not that of a group above, held it back.
cpuacct.usage                             | nanoseconds  |              |           | Processor time used. Writing 0 starts the count anew.
cpuacct.usage_user                        | nanoseconds  |              |           | Processor time used by programs.
cpuacct.usage_sys                         | nanoseconds  |              |           | Processor time used by the kernel for them.
cpuacct.usage_all                         | text         |              |           | Processor time used, by processor.
cpuacct.usage_percpu                      | text         |              |           | Processor time used, by processor, in nanoseconds.
cpuacct.usage_percpu_sys                  | text         |              |           | Of that, by the kernel.
cpuacct.usage_percpu_user                 | text         |              |           | Of that, by programs.
cpuacct.stat                              | keyed        |              |           | Processor time of programs and kernel, in hundredths of a second.
cpuset.cpus                               | list         | cpuset-cpus  | parent    | The processors that its processes may run on: 0-3,8. While it is empty nobody can move in.
cpuset.mems                               | list         | cpuset-mems  | parent    | The memory nodes that its memory may come from. While it is empty nobody can move in.
cpuset.effective_cpus                     | list         |              |           | The processors that its processes do run on.
cpuset.effective_mems                     | list         |              |           | The memory nodes that its memory does come from.
cpuset.cpu_exclusive                      | switch       |              | 0         | Whether no group beside it may have its processors.
cpuset.mem_exclusive                      | switch       |              | 0         | Whether no group beside it may have its memory nodes.
cpuset.mem_hardwall                       | switch       |              | 0         | Whether the kernel's own memory for it comes from its nodes too.
cpuset.memory_migrate                     | switch       |              | 0         | Whether memory moves along when the nodes change.
cpuset.memory_pressure                    | number       |              |           | How often memory is reclaimed for it, on an average that decays.
cpuset.memory_spread_page                 | switch       |              | 0         | Whether files kept in memory are spread over its nodes.
cpuset.memory_spread_slab                 | switch       |              | 0         | Whether the kernel's own objects are spread over its nodes.
cpuset.sched_load_balance                 | switch       |              | 1         | Whether load is balanced between its processors.
cpuset.sched_relax_domain_level           | number       |              | -1        | How far the scheduler looks for an idle processor.
memory.limit_in_bytes                     | bytes        | memory       | max       | The hard limit: what needs more, and can free nothing, is killed.
memory.soft_limit_in_bytes                | bytes        | memory-soft  | max       | The soft limit: when the host runs short of memory, it is pushed back to that.
memory.memsw.limit_in_bytes               | bytes        |              | max       | The most memory and swap space together.
memory.usage_in_bytes                     | bytes        |              |           | Memory that it uses now, files kept in memory among it.
memory.max_usage_in_bytes                 | bytes        |              |           | The most memory it has used at a time. Writing 0 starts anew.
memory.failcnt                            | count        |              |           | How often the hard limit was hit.
memory.memsw.usage_in_bytes               | bytes        |              |           | Memory and swap space that it uses now.
memory.memsw.max_usage_in_bytes           | bytes        |              |           | The most memory and swap space it has used at a time.
memory.memsw.failcnt                      | count        |              |           | How often the limit on memory and swap space was hit.
memory.swappiness                         | number       | swappiness   |           | How readily its memory goes to swap space: 0 to 100.
memory.oom_control                        | keyed        | oom-kill     |           | Out of memory: whether processes wait rather than being killed, whether they do now, how many were killed.
memory.pressure_level                     | text         |              |           | What a program opens to be told of memory pressure: low, medium, critical. It can not be read.
memory.stat                               | keyed        |              |           | What its memory is used for, in bytes and counts.
memory.numa_stat                          | text         |              |           | What its memory is used for, by memory node.
memory.force_empty                        | switch       |              |           | Reclaims all memory it can when something is written.
memory.use_hierarchy                      | switch       |              |           | Whether groups below count here too. Always 1 now.
memory.move_charge_at_immigrate           | number       |              |           | Had memory move with a process. Without effect now.
memory.kmem.usage_in_bytes                | bytes        |              |           | The kernel's own memory for it.
memory.kmem.max_usage_in_bytes            | bytes        |              |           | The most of the kernel's own memory for it at a time.
memory.kmem.limit_in_bytes                | bytes        |              |           | Limited the kernel's own memory. Without effect now.
memory.kmem.failcnt                       | count        |              |           | Without meaning now.
memory.kmem.slabinfo                      | text         |              |           | The kernel's objects for it, where that is built in.
memory.kmem.tcp.limit_in_bytes            | bytes        | memory-tcp   | max       | The most memory for buffers of TCP sockets.
memory.kmem.tcp.usage_in_bytes            | bytes        |              |           | Memory for buffers of TCP sockets now.
memory.kmem.tcp.max_usage_in_bytes        | bytes        |              |           | The most memory for buffers of TCP sockets at a time.
memory.kmem.tcp.failcnt                   | count        |              |           | How often the limit on buffers of TCP sockets was hit.
blkio.bfq.weight                          | text         | io-weight    | 100       | Its share of block I/O on devices that the BFQ scheduler serves: 1 to 1000.
blkio.bfq.weight_device                   | text         |              | default 100 | The same for single devices.
blkio.weight                              | text         | io-weight    | 500       | Its share of block I/O with the CFQ scheduler of kernels before 5.0: 10 to 1000.
blkio.throttle.read_bps_device            | device-bytes | read-bps     | ''        | The most bytes read a second, by device.
blkio.throttle.write_bps_device           | device-bytes | write-bps    | ''        | The most bytes written a second, by device.
blkio.throttle.read_iops_device           | device-count | read-iops    | ''        | The most read operations a second, by device.
blkio.throttle.write_iops_device          | device-count | write-iops   | ''        | The most write operations a second, by device.
blkio.throttle.io_service_bytes           | devices      |              |           | Bytes read and written so far, by device.
blkio.throttle.io_service_bytes_recursive | devices      |              |           | The same with the groups below.
blkio.throttle.io_serviced                | devices      |              |           | Operations so far, by device.
blkio.throttle.io_serviced_recursive      | devices      |              |           | The same with the groups below.
blkio.bfq.io_service_bytes                | devices      |              |           | Bytes that the BFQ scheduler has seen, by device.
blkio.bfq.io_service_bytes_recursive      | devices      |              |           | The same with the groups below.
blkio.bfq.io_serviced                     | devices      |              |           | Operations that the BFQ scheduler has seen, by device.
blkio.bfq.io_serviced_recursive           | devices      |              |           | The same with the groups below.
blkio.reset_stats                         | switch       |              |           | Starts the counts anew when something is written.
devices.list                              | text         | devices      | a *:* rwm | The devices that it may open (r, w) and make (m): "c 1:3 rwm" is /dev/null.
devices.allow                             | text         |              |           | Allows the device that is written here.
devices.deny                              | text         |              |           | Forbids the device that is written here.
freezer.state                             | text         |              |           | Stops all processes in it and below it (FROZEN), or lets them go on (THAWED).
freezer.self_freezing                     | switch       |              |           | Whether it was frozen itself.
freezer.parent_freezing                   | switch       |              |           | Whether a group above was frozen.
pids.max                                  | count        | pids         | max       | The most processes and threads; no more can be started.
pids.current                              | count        |              |           | Processes and threads there are now, here and below.
pids.peak                                 | count        |              |           | The most processes and threads there have been at a time.
pids.events                               | keyed        |              |           | How often a start was refused.
net_cls.classid                           | class        | net-class    | 0         | The class that its packets are tagged with, for packet filters and traffic control.
net_prio.ifpriomap                        | text         | net-priority |           | The priority of its packets, by network interface.
net_prio.prioidx                          | number       |              |           | The kernel's own number for it.
hugetlb.*.limit_in_bytes                  | bytes        | hugetlb      | max       | The most huge pages in use, in bytes.
hugetlb.*.usage_in_bytes                  | bytes        |              |           | The huge pages in use now, in bytes.
hugetlb.*.max_usage_in_bytes              | bytes        |              |           | The most huge pages in use at a time, in bytes.
hugetlb.*.failcnt                         | count        |              |           | How often the limit on huge pages was hit.
hugetlb.*.rsvd.limit_in_bytes             | bytes        |              | max       | The most huge pages reserved, in bytes.
hugetlb.*.rsvd.usage_in_bytes             | bytes        |              |           | The huge pages reserved now, in bytes.
hugetlb.*.rsvd.max_usage_in_bytes         | bytes        |              |           | The most huge pages reserved at a time, in bytes.
hugetlb.*.rsvd.failcnt                    | count        |              |           | How often the limit on reserved huge pages was hit.
hugetlb.*.numa_stat                       | text         |              |           | The huge pages in use, by memory node.
`
