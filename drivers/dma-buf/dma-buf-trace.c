// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: definition of the trace events.
 */
#include "dma-buf-internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_buf.h>
