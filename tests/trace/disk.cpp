// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a choice lays over the cells is in undo, and is lifted before the tape plays on.
 */
#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "disk.h"

namespace trace {

static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ v >> 27) * 0x94d049bb133111ebull;
	return v ^ v >> 31;
}

static uint64_t cell_hash(uint64_t sector, Hash hash)
{
	return mix(hash + sector * 0x9e3779b97f4a7c15ull);
}

bool Part::has(uint32_t i) const
{
	switch (shape) {
	case whole:
		return true;
	case prefix:
		return i < n;
	case suffix:
		return i >= n;
	case without:
		return i != n;
	case only:
		return i == n;
	case some:
		return mix((static_cast<uint64_t>(n) << 32) + i) & 1;
	}
	return false;
}

/*----------------------------------------------------------------
 * Disk
 *--------------------------------------------------------------*/

void Disk::put(const Op &op, uint32_t i)
{
	Cell &cell = cells[op.sector + i];
	Cell next = {op.hash[i], op.kind == Kind::write ? op.data + i * SECTOR : nullptr, op.sub};

	image += cell_hash(op.sector + i, next.hash) - cell_hash(op.sector + i, cell.hash);
	cell = next;
}

void Disk::submit(const Op &op)
{
	if (op.writes())
		pending.push_back(&op);
}

std::vector<const Op *> Disk::done(const Op &op)
{
	std::vector<const Op *> durable;

	if (op.kind == Kind::flush) {
		for (const Op *p : ended)
			if (p->done < op.sub)
				durable.push_back(p);
	} else if (op.fua) {
		durable.push_back(&op);
	} else if (op.writes()) {
		ended.push_back(&op);
	}
	std::sort(durable.begin(), durable.end(), [](const Op *a, const Op *b) { return a->sub < b->sub; });
	for (const Op *p : durable) {
		for (uint32_t i = 0; i < p->sectors; i++)
			if (cells[p->sector + i].since <= p->sub)
				put(*p, i);
		std::erase(pending, p);
		std::erase(ended, p);
	}
	return durable;
}

void Disk::read(uint64_t sector, uint8_t *to, uint64_t n) const
{
	for (uint64_t i = 0; i < n; i++, to += SECTOR)
		if (cells[sector + i].data)
			std::memcpy(to, cells[sector + i].data, SECTOR);
		else
			std::memset(to, 0, SECTOR);
}

void Disk::lay(const Choice &choice)
{
	for (const Part &part : choice)
		for (uint32_t i = 0; i < part.op->sectors; i++) {
			uint64_t s = part.op->sector + i;

			if (cells[s].since > part.op->sub || !part.has(i))
				continue;
			undo.push_back({s, cells[s]});
			put(*part.op, i);
		}
}

void Disk::lift()
{
	for (auto u = undo.rbegin(); u != undo.rend(); ++u) {
		image += cell_hash(u->first, u->second.hash) - cell_hash(u->first, cells[u->first].hash);
		cells[u->first] = u->second;
	}
	undo.clear();
}

std::vector<uint64_t> Disk::laid() const
{
	std::vector<uint64_t> sectors;

	for (const auto &[s, cell] : undo)
		sectors.push_back(s);
	return sectors;
}

/*----------------------------------------------------------------
 * Enumeration
 *--------------------------------------------------------------*/

namespace {

class Enumerator {
public:
	Enumerator(const Disk &disk, unsigned most, std::mt19937 &random)
		: by_sub(disk.pending), k(by_sub.size()), most(most), random(random)
	{
	}

	std::vector<Choice> run()
	{
		mask(std::vector<bool>(k, false));
		if (!k)
			return std::move(out);
		mask(std::vector<bool>(k, true));
		if (k <= 6)
			for (unsigned m = 1; m + 1 < 1u << k; m++)
				mask([&](size_t i) { return m >> i & 1; });
		else
			many();
		tears();
		return std::move(out);
	}

private:
	std::vector<const Op *> by_sub;
	size_t k;
	unsigned most;
	std::mt19937 &random;
	std::vector<Choice> out;

	uint32_t below(size_t n) { return static_cast<uint32_t>(random() % n); }

	void mask(const std::vector<bool> &in)
	{
		Choice choice;

		for (size_t i = 0; i < k; i++)
			if (in[i])
				choice.push_back({by_sub[i], Part::whole, 0});
		out.push_back(std::move(choice));
	}

	template <class In> void mask(In in)
		requires std::is_invocable_v<In, size_t>
	{
		std::vector<bool> bits(k);

		for (size_t i = 0; i < k; i++)
			bits[i] = in(i);
		mask(bits);
	}

	/* Up to @most numbers below @n, all of them if there are no more. */
	std::vector<size_t> few(size_t n, size_t most)
	{
		std::vector<size_t> numbers;

		for (size_t i = 0; i < std::min(n, most); i++)
			numbers.push_back(n <= most ? i : below(n));
		return numbers;
	}

	void many()
	{
		std::vector<size_t> order(k);

		for (size_t i = 0; i < k; i++)
			order[i] = i;
		std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return by_sub[a]->done < by_sub[b]->done; });
		for (size_t n : few(k, most / 4)) {
			std::vector<bool> bits(k);

			mask([&](size_t i) { return i < n; });
			for (size_t i = 0; i < n; i++)
				bits[order[i]] = true;
			mask(bits);
		}
		for (size_t n : few(k, most / 8)) {
			mask([&](size_t i) { return i != n; });
			mask([&](size_t i) { return i == n; });
		}
		for (unsigned i = 0; i < most / 4; i++) {
			unsigned odds = 1 + below(7);

			mask([&](size_t) { return below(8) < odds; });
		}
	}

	/* One write torn, the others lost, there, or some of them. */
	void tears()
	{
		for (size_t torn : few(k, std::max(2u, most / 16))) {
			uint32_t n = by_sub[torn]->sectors;
			std::vector<Part> parts;

			if (n < 2)
				continue;
			for (size_t at : few(n - 1, 7)) {
				parts.push_back({by_sub[torn], Part::prefix, static_cast<uint32_t>(at + 1)});
				parts.push_back({by_sub[torn], Part::suffix, static_cast<uint32_t>(at + 1)});
			}
			parts.push_back({by_sub[torn], Part::without, below(n)});
			parts.push_back({by_sub[torn], Part::only, below(n)});
			parts.push_back({by_sub[torn], Part::some, static_cast<uint32_t>(random())});
			for (const Part &part : parts) {
				unsigned odds = k > 1 ? below(3) : 0;
				Choice choice;

				for (size_t i = 0; i < k; i++)
					if (i == torn)
						choice.push_back(part);
					else if (odds == 2 || (odds == 1 && below(2)))
						choice.push_back({by_sub[i], Part::whole, 0});
				out.push_back(std::move(choice));
			}
		}
	}
};

} /* namespace */

std::vector<Choice> enumerate(const Disk &disk, unsigned most, std::mt19937 &random)
{
	return Enumerator(disk, most, random).run();
}

std::string name(const Choice &choice)
{
	static const char *const shapes[] = {"", "first ", "all but the first ", "all but number ", "only number ", "some, seed "};
	constexpr size_t SHOWN = 12;
	std::string text;

	for (const Part &part : choice) {
		if (&part == choice.data() + SHOWN)
			return text + "; and " + std::to_string(choice.size() - SHOWN) + " more";
		text += text.empty() ? "" : "; ";
		if (part.shape != Part::whole)
			text += shapes[part.shape] + std::to_string(part.n) + " of the sectors of ";
		text += name(*part.op);
	}
	return text.empty() ? "nothing" : text;
}

} /* namespace trace */
