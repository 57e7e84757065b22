# SPDX-License-Identifier: GPL-2.0-only
# What kbuild is told for the kernel race, see harness/build.

# KCSAN samples accesses, and a watched one stands still for a while. Spread over
# the whole kernel that finds the base's races and hardly ever ours. So only
# drivers/dma-buf is watched, whose Makefile says so, and what is done to its
# files: then each access there is watched often, and for long. A race with code
# that is not watched is seen all the same, if it changes the value.
KCSAN_SANITIZE=n
KCSAN_SANITIZE_file_table.o=y
KCSAN_SANITIZE_eventpoll.o=y
KCSAN_SANITIZE_select.o=y

# A lock that is not watched still orders what is done under it. mm and sched
# say so themselves.
KCSAN_INSTRUMENT_BARRIERS_spinlock.o=y
KCSAN_INSTRUMENT_BARRIERS_qspinlock.o=y
KCSAN_INSTRUMENT_BARRIERS_qrwlock.o=y
KCSAN_INSTRUMENT_BARRIERS_mutex.o=y
KCSAN_INSTRUMENT_BARRIERS_rwsem.o=y
KCSAN_INSTRUMENT_BARRIERS_rtmutex_api.o=y
KCSAN_INSTRUMENT_BARRIERS_semaphore.o=y
KCSAN_INSTRUMENT_BARRIERS_percpu-rwsem.o=y
KCSAN_INSTRUMENT_BARRIERS_tree.o=y
KCSAN_INSTRUMENT_BARRIERS_srcutree.o=y
KCSAN_INSTRUMENT_BARRIERS_update.o=y
KCSAN_INSTRUMENT_BARRIERS_workqueue.o=y
KCSAN_INSTRUMENT_BARRIERS_kthread.o=y
KCSAN_INSTRUMENT_BARRIERS_task_work.o=y
KCSAN_INSTRUMENT_BARRIERS_exit.o=y
KCSAN_INSTRUMENT_BARRIERS_fork.o=y
KCSAN_INSTRUMENT_BARRIERS_signal.o=y
KCSAN_INSTRUMENT_BARRIERS_core.o=y
KCSAN_INSTRUMENT_BARRIERS_requeue.o=y
KCSAN_INSTRUMENT_BARRIERS_waitwake.o=y
KCSAN_INSTRUMENT_BARRIERS_file.o=y
KCSAN_INSTRUMENT_BARRIERS_inode.o=y
KCSAN_INSTRUMENT_BARRIERS_dcache.o=y
KCSAN_INSTRUMENT_BARRIERS_namei.o=y
KCSAN_INSTRUMENT_BARRIERS_read_write.o=y
KCSAN_INSTRUMENT_BARRIERS_eventfd.o=y
KCSAN_INSTRUMENT_BARRIERS_refcount.o=y
KCSAN_INSTRUMENT_BARRIERS_lockref.o=y
KCSAN_INSTRUMENT_BARRIERS_llist.o=y
KCSAN_INSTRUMENT_BARRIERS_xarray.o=y
KCSAN_INSTRUMENT_BARRIERS_idr.o=y
KCSAN_INSTRUMENT_BARRIERS_radix-tree.o=y
KCSAN_INSTRUMENT_BARRIERS_kobject.o=y
KCSAN_INSTRUMENT_BARRIERS_klist.o=y
