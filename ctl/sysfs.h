// SPDX-License-Identifier: GPL-2.0-only
//
// What sysfs and /proc know about a block device.
//
// Always true: what is not known there is an empty string. Crashes leave nothing here.
#ifndef JBDCTL_SYSFS_H
#define JBDCTL_SYSFS_H

#include <sys/types.h>

#include <string>
#include <string_view>

namespace jbd {

// "/dev/mapper/vg-home", "/dev/sda1", or "8:1"
std::string device_name(dev_t number);
// The same for "8:1", as in a table of the kernel.
std::string device_name(std::string_view major_minor);
// Who has the device: "mounted on /srv", "part of /dev/mapper/vg-home"
std::string device_users(dev_t number);
// The disk that a partition is part of; else the device itself.
dev_t whole_disk(dev_t number);
// Is there a disk that is below both, through partitions, logical volumes and RAID?
bool share_disk(dev_t one, dev_t other);
// An identity that stays with the device's contents or hardware, as text.
std::string device_identity(dev_t number);
// The loop device that is attached to an image file.
std::string loop_over(const std::string &path);

} // namespace jbd

#endif
