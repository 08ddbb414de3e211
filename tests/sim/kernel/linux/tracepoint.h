/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: nothing is traced, but arguments are checked by the compiler. */
#ifndef SIM_LINUX_TRACEPOINT_H
#define SIM_LINUX_TRACEPOINT_H

#define TP_PROTO(...)		__VA_ARGS__
#define TP_ARGS(...)
#define TP_STRUCT__entry(...)
#define TP_fast_assign(...)
#define TP_printk(...)
#define DECLARE_EVENT_CLASS(...)
#define DEFINE_EVENT(class, name, proto, args)		static inline void trace_##name(proto) { }
#define TRACE_EVENT(name, proto, args, ...)		static inline void trace_##name(proto) { }

#endif
