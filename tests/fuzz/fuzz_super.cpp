// SPDX-License-Identifier: GPL-2.0-only
//
// Any 4096 bytes as a superblock: what is found valid comes back as it was, and
// a scan of an empty log with it ends and stays within the area.
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LogImage log;
	jsuper first, second;
	jfmt_super s, again;
	Input in(data, size);

	jsuper_encode(&log.sb, &s);
	const uint32_t log_len = 136 + in.below(0x1000);
	// lies at any offset, so that the rest stays plausible
	do {
		const uint32_t at = in.below(sizeof(s));

		in.fill(reinterpret_cast<uint8_t *>(&s) + at,
			std::min<size_t>(sizeof(s) - at, 1 + in.below(16)));
	} while (!in.empty());
	memcpy(s.magic, JFMT_SUPER_MAGIC, sizeof(s.magic));
	s.crc = 0;
	s.crc = cpu_to_le32(crc32c(~0u, &s, sizeof(s)));

	if (jsuper_decode(&s, log_len, &first) != JSUPER_OK)
		return 0;
	jsuper_encode(&first, &again);
	CHECK(jsuper_decode(&again, log_len, &second) == JSUPER_OK);
	CHECK(!memcmp(&first, &second, sizeof(first)));
	CHECK(first.geo.area_start + first.geo.area_len <= log_len);

	log.sb = first;
	log.bytes.assign(log_len * JFMT_SECTOR, 0);
	Scan scan(log);
	CHECK(!scan.out_of_area);
	CHECK(scan.records.empty());
	CHECK(scan.r.end == JSCAN_END || scan.r.end == JSCAN_DAMAGE);
	return 0;
}
