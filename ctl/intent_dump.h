// SPDX-License-Identifier: GPL-2.0-only
//
// What `jbdctl log` shows of an intent device.
//
// Always true: only reads. Crashes leave nothing here.
#ifndef JBDCTL_INTENT_DUMP_H
#define JBDCTL_INTENT_DUMP_H

#include "intent.h"

namespace jbd {

const char *kind_name(jfmt_kind kind);

Result<> dump_intent(const Intent &intent, bool extents, bool as_json);
// Reads all of the batch that the home may lack, if there is one.
Result<> verify_intent(const Intent &intent, bool as_json, bool quiet);

} // namespace jbd

#endif
