// SPDX-License-Identifier: GPL-2.0-only
//
// Volumes in Prometheus's text exposition format.
//
// Always true: each metric has its HELP and TYPE once, and then one sample a volume;
// what the kernel does not say has no sample. Crashes leave nothing here.
#ifndef JBDCTL_PROMETHEUS_H
#define JBDCTL_PROMETHEUS_H

#include <string>
#include <vector>

#include "lag.h"

namespace jbd {

// @broken: names of volumes of which there is no status; they are down.
std::string prometheus_text(const std::vector<LagView> &views, const std::vector<std::string> &broken);

} // namespace jbd

#endif
