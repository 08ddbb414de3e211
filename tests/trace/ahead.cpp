// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each check ends with its first complaint: one write is one violation.
 */
#include "ahead.h"

namespace trace {

void WriteAhead::home_write(const Op &op)
{
	std::string where = name(op);

	if (!durable_super)
		return report.violate("I10 home", "before any superblock: " + where);
	for (uint32_t i = 0; i < op.sectors; i++) {
		const Version *v = log.version(op.sector + i, durable_super->to);
		std::string sector = "sector " + std::to_string(op.sector + i) + " of " + where;

		home_sectors++;
		if (!v || v->record <= durable_super->tail)
			return report.violate("I10 home", sector + " is in no record of the batch (" +
					      std::to_string(durable_super->tail) + ", " +
					      std::to_string(durable_super->to) + "] of the durable superblock");
		if (v->kind == Kind::discard ? op.kind != Kind::discard : v->hash != op.hash[i])
			return report.violate("I10 home", sector + " is not the newest version of the batch, that of record " +
					      std::to_string(v->record));
		if (!durable.count(v->record))
			return report.violate("I10 home", sector + " comes from record " + std::to_string(v->record) +
					      ", which is not durable: " + name(*log.records[v->record].op));
	}
}

void WriteAhead::log_write(const Op &op, const std::unordered_set<uint64_t> &off)
{
	auto super = log.super_of.find(&op);
	auto record = log.record_of.find(&op);

	log_writes++;
	if (record != log.record_of.end() && durable_super) {
		const jrecord &r = log.records[record->second].head;
		uint64_t limit = durable_super->super.tail_pos.v + log.geo.area_len;

		if (r.pos.v + r.len > limit)
			report.violate("I10 space", "record " + std::to_string(record->second) + " reaches position " +
				       std::to_string(r.pos.v + r.len) + " with a durable tail that allows " +
				       std::to_string(limit) + ": " + name(op));
	}
	if (super == log.super_of.end() || super->second.tail == tail())
		return;
	tails++;

	auto lacks = [&](uint64_t s) {
		const Version *v = log.version(s, super->second.tail);

		if (v ? v->is(home[s].hash) : home[s].hash == ZEROES)
			return false;
		report.violate("I10 tail", "the tail moves to record " + std::to_string(super->second.tail) + " but the home has no durable "
			       "sector " + std::to_string(s) + (v ? " of record " + std::to_string(v->record) : "") + ": " + name(op));
		return true;
	};
	for (uint64_t s : off)
		if (lacks(s))
			return;
	for (uint32_t n = tail() + 1; n <= super->second.tail; n++)
		for (const Extent &e : log.records[n].extents)
			for (uint64_t s = e.home; s < e.home + e.len; s++)
				if (lacks(s))
					return;
}

bool WriteAhead::log_durable(const Op &op)
{
	auto super = log.super_of.find(&op);
	auto record = log.record_of.find(&op);
	uint32_t before = tail();

	if (record != log.record_of.end())
		durable.insert(record->second);
	if (super != log.super_of.end() &&
	    (!durable_super || super->second.super.generation > durable_super->super.generation))
		durable_super = &super->second;
	return tail() != before;
}

} /* namespace trace */
