// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: where the trace events are defined.
 */
#include "dma-buf-internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_buf.h>
