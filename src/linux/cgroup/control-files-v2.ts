/**
 * The files of version 2 (Documentation/admin-guide/cgroup-v2.rst), a line for each: its name, what it holds, the short
 * name for it, what it holds as long as nobody has set it, and what it is. `control-file.ts` reads it.
 */
export const CONTROL_FILES_V2: string = `
cgroup.controllers              | text         |             |             | The controllers that this group has, and can give to its children.
cgroup.subtree_control          | text         |             |             | The controllers that the children of this group have. Written as "+memory -io".
cgroup.procs                    | processes    |             |             | The processes in this group. A process written here moves in with all its threads.
cgroup.threads                  | processes    |             |             | The threads in this group. One written here moves alone, within a threaded subtree.
cgroup.type                     | text         |             |             | Whether this group is for processes (domain) or for single threads (threaded). "threaded" may be written.
cgroup.events                   | keyed        |             |             | Whether there are processes in it or below it, and whether it is frozen.
cgroup.freeze                   | switch       |             |             | Stops all processes in it and below it (1), or lets them go on (0).
cgroup.kill                     | switch       |             |             | Kills all processes in it and below it when 1 is written.
cgroup.max.depth                | count        |             | max         | How many levels of groups there may be below this one.
cgroup.max.descendants          | count        |             | max         | How many groups there may be below this one.
cgroup.pressure                 | switch       |             | 1           | Whether pressure is accounted for in this group.
cgroup.stat                     | keyed        |             |             | How many groups there are below it, and how many are being removed.
cgroup.stat.local               | keyed        |             |             | How long this group itself has been frozen.
cpu.weight                      | number       | cpu-weight  | 100         | Its share of processor time when there is not enough for all: 1 to 10000, by default 100.
cpu.weight.nice                 | number       |             |             | The same share on the scale of nice(1): 19 to -20.
cpu.max                         | quota        | cpus        | max         | The most processor time in each period: QUOTA PERIOD in microseconds, or max.
cpu.max.burst                   | microseconds | cpu-burst   | 0           | How much unused quota may be saved up and spent in a burst.
cpu.idle                        | switch       | cpu-idle    | 0           | Whether it runs only when nothing else wants to.
cpu.uclamp.min                  | number       |             | 0.00        | The least processor speed it asks for, in percent.
cpu.uclamp.max                  | number       |             | max         | The most processor speed it asks for, in percent.
cpu.stat                        | keyed        |             |             | Processor time used, and how often and how long the quota held it back.
cpu.stat.local                  | keyed        |             |             | How long its own quota, not that of a group above, held it back.
cpu.pressure                    | pressure     |             |             | How much of the time its processes waited for a processor.
irq.pressure                    | pressure     |             |             | How much of the time interrupts kept its processes from running.
cpuset.cpus                     | list         | cpuset-cpus | ''          | The processors that it asks for: 0-3,8. Empty: as the group above.
cpuset.cpus.effective           | list         |             |             | The processors that its processes do run on.
cpuset.cpus.exclusive           | list         |             | ''          | Processors that no other group beside it may have, for a partition.
cpuset.cpus.exclusive.effective | list         |             |             | The processors that it does have for itself.
cpuset.cpus.partition           | text         |             | member      | Whether its processors are scheduled apart from all others: member, root, isolated.
cpuset.mems                     | list         | cpuset-mems | ''          | The memory nodes that it asks for. Empty: as the group above.
cpuset.mems.effective           | list         |             |             | The memory nodes that its memory does come from.
memory.current                  | bytes        |             |             | Memory that it uses now, files kept in memory among it.
memory.peak                     | bytes        |             |             | The most memory it has used at a time.
memory.max                      | bytes        | memory      | max         | The hard limit: what needs more, and can free nothing, is killed.
memory.high                     | bytes        | memory-high | max         | The soft limit: above it processes are slowed down and their memory is reclaimed.
memory.low                      | bytes        | memory-low  | 0           | Memory that is left to it as long as there is other memory to reclaim.
memory.min                      | bytes        | memory-min  | 0           | Memory that is never taken from it.
memory.swap.max                 | bytes        | swap        | max         | The most swap space, memory not included.
memory.swap.high                | bytes        |             | max         | Above so much swap space processes are slowed down.
memory.swap.current             | bytes        |             |             | Swap space that it uses now.
memory.swap.peak                | bytes        |             |             | The most swap space it has used at a time.
memory.swap.events              | keyed        |             |             | How often limits on swap space were hit.
memory.zswap.current            | bytes        |             |             | Memory that holds its compressed swap.
memory.zswap.max                | bytes        |             | max         | The most memory for compressed swap.
memory.zswap.writeback          | switch       |             | 1           | Whether compressed swap may go on to the disk.
memory.oom.group                | switch       | oom-group   | 0           | Whether out of memory kills the whole group rather than one process.
memory.reclaim                  | bytes        |             |             | Reclaims so much memory when a size is written.
memory.events                   | keyed        |             |             | How often its limits were hit, and processes killed for it, here and below.
memory.events.local             | keyed        |             |             | The same without the groups below.
memory.stat                     | keyed        |             |             | What its memory is used for, in bytes and counts.
memory.numa_stat                | text         |             |             | What its memory is used for, by memory node.
memory.pressure                 | pressure     |             |             | How much of the time its processes waited for memory.
io.weight                       | text         | io-weight   | default 100 | Its share of block I/O: 1 to 10000, for all devices (default) and by device. Works with iocost.
io.bfq.weight                   | text         | io-weight   | default 100 | Its share of block I/O on devices that the BFQ scheduler serves: 1 to 1000.
io.max                          | devices      | io          | ''          | The most bytes (rbps, wbps) and operations (riops, wiops) a second, by device.
io.latency                      | devices      |             | ''          | The latency it shall have, by device; others are slowed down for it.
io.prio.class                   | text         |             | no-change   | The I/O priority class that its requests get.
io.stat                         | devices      |             |             | Bytes and operations so far, by device.
io.pressure                     | pressure     |             |             | How much of the time its processes waited for block I/O.
pids.max                        | count        | pids        | max         | The most processes and threads; no more can be started.
pids.current                    | count        |             |             | Processes and threads there are now, here and below.
pids.peak                       | count        |             |             | The most processes and threads there have been at a time.
pids.events                     | keyed        |             |             | How often a start was refused.
pids.events.local               | keyed        |             |             | How often a start was refused by its own limit.
hugetlb.*.max                   | bytes        | hugetlb     | max         | The most huge pages in use, in bytes.
hugetlb.*.current               | bytes        |             |             | The huge pages in use now, in bytes.
hugetlb.*.rsvd.max              | bytes        |             | max         | The most huge pages reserved, in bytes.
hugetlb.*.rsvd.current          | bytes        |             |             | The huge pages reserved now, in bytes.
hugetlb.*.events                | keyed        |             |             | How often the limit on huge pages was hit, here and below.
hugetlb.*.events.local          | keyed        |             |             | How often its own limit on huge pages was hit.
hugetlb.*.numa_stat             | text         |             |             | The huge pages in use, by memory node.
rdma.max                        | text         |             | ''          | The most RDMA handles and objects, by device.
rdma.current                    | text         |             |             | RDMA handles and objects in use, by device.
misc.max                        | text         |             | ''          | The most of scarce resources of the platform.
misc.current                    | text         |             |             | Scarce resources in use now.
misc.peak                       | text         |             |             | The most of scarce resources in use at a time.
misc.events                     | keyed        |             |             | How often a scarce resource was refused.
misc.events.local               | keyed        |             |             | How often a scarce resource was refused by its own limit.
`
