# SPDX-License-Identifier: GPL-2.0-only
# Variables of kbuild for the kernel race, see harness/build.

# KCSAN samples accesses, and delays a watched one. Over the whole kernel it would find
# the base's races and hardly ever ours. So instrument drivers/dma-buf and the code that
# handles its files, and no other: each access there is watched often, and for long. A
# race with code that is not instrumented is still found if it changes the value.
KCSAN_SANITIZE=$(if $(filter drivers/dma-buf drivers/dma-buf/tests drivers/dma-buf/testdev,$(obj)),y,n)
KCSAN_SANITIZE_file_table.o=y
KCSAN_SANITIZE_eventpoll.o=y
KCSAN_SANITIZE_select.o=y

# A lock in code that is not instrumented still orders accesses. The makefiles of mm and
# sched ask for that themselves.
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
