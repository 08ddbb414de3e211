/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is the volume after each record a state that the history allows?
 *
 *   P2  there is one time at which all its contents stood there; covering takes completion. That is a prefix.
 *   P3  of a write of which a sector is there every sector is there that nothing later can have covered.
 *   P1  it may be what a crash leaves until one of its contents is covered by something durable: legal_until.
 *
 * With that judged once, a recovery is judged by the record that it ends with.
 */
#ifndef TRACE_PREFIX_H
#define TRACE_PREFIX_H

#include "log.h"
#include "report.h"

namespace trace {

/* Fills in legal_until of all records. */
void judge_prefixes(History &history, Log &log, Report &report);

} /* namespace trace */

#endif
