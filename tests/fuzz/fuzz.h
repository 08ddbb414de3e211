// SPDX-License-Identifier: GPL-2.0-only
//
// What the fuzz entry points share: an input that is used up from the front, and
// a check that no build removes. All checksums are made right after the input has
// written its lies, so that the fuzzer gets past them.
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>

#include "logimage.h"

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: not true: %s\n",	\
				__FILE__, __LINE__, #cond);		\
			abort();					\
		}							\
	} while (0)

class Input {
public:
	Input(const uint8_t *data, size_t size) : data_(data), size_(size) {}

	bool empty() const { return !size_; }
	// up to @n bytes; what is missing stays as it is in @to
	void fill(void *to, size_t n)
	{
		n = std::min(n, size_);
		if (n)
			memcpy(to, data_, n);
		data_ += n;
		size_ -= n;
	}
	template <typename T> T take()
	{
		T v{};

		fill(&v, sizeof(v));
		return v;
	}
	uint32_t below(uint32_t n) { return take<uint16_t>() % n; }

private:
	const uint8_t *data_;
	size_t size_;
};

#endif
