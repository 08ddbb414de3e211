// SPDX-License-Identifier: GPL-2.0-only
/*
 * The demo's load: a shop that takes orders, one SQLite transaction each.
 *
 * Always true: an order's number is acknowledged on stdout only after its COMMIT has returned; numbers count from 1
 * without a gap; an order's content follows from its number, so each one can be checked by itself. The database is in
 * WAL mode unless it was made in another, and its WAL file is kept at its full size, so that a run spends its time on
 * commits that overwrite it, not on making it grow. A crash leaves what SQLite promises: the orders up to one that is not
 * older than the last acknowledged one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONTENT_SIZE	400
#define PROBE_SIZE	4096
#define PROBE_SECONDS	1

static sqlite3 *db;

static void die(const char *what)
{
	fprintf(stderr, "shop: %s: %s\n", what, db ? sqlite3_errmsg(db) : strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void content_of(int64_t id, unsigned char *content)
{
	uint64_t x = 0x9e3779b97f4a7c15 * (id + 1);

	for (int i = 0; i < CONTENT_SIZE; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		content[i] = x >> 56;
	}
}

static sqlite3_stmt *prepare(const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL))
		die(sql);
	return statement;
}

static void run_sql(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL))
		die(sql);
}

static int64_t number(const char *sql)
{
	sqlite3_stmt *statement = prepare(sql);
	int64_t value;

	if (sqlite3_step(statement) != SQLITE_ROW)
		die(sql);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void open_shop(const char *path, int flags)
{
	int keep_wal = 1;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | flags, NULL))
		die(path);
	/* As FULL in WAL mode; with a rollback journal a commit also waits for the name of that to be gone. */
	run_sql("PRAGMA synchronous=EXTRA");
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal))
		die("cannot keep the WAL file");
}

static void close_shop(void)
{
	if (sqlite3_close(db))
		die("close");
}

static void take_order(sqlite3_stmt *insert, int64_t id)
{
	unsigned char content[CONTENT_SIZE];

	content_of(id, content);
	sqlite3_bind_int64(insert, 1, id);
	sqlite3_bind_blob(insert, 2, content, sizeof(content), SQLITE_TRANSIENT);
	/* Outside BEGIN and COMMIT the statement is a transaction, and its step returns when COMMIT has. */
	if (sqlite3_step(insert) != SQLITE_DONE)
		die("commit");
	sqlite3_reset(insert);
}

/* shop new DB ORDERS [MODE]: make the database. What it takes to make a full WAL need not be durable yet. */
static void make(const char *path, int64_t orders, const char *mode)
{
	sqlite3_stmt *insert;
	char pragma[64];

	open_shop(path, SQLITE_OPEN_CREATE);
	snprintf(pragma, sizeof(pragma), "PRAGMA journal_mode=%s", mode);
	run_sql(pragma);
	run_sql("PRAGMA synchronous=OFF");
	run_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, content BLOB NOT NULL)");
	insert = prepare("INSERT INTO orders VALUES (?, ?)");
	for (int64_t id = 1; id <= orders; id++)
		take_order(insert, id);
	sqlite3_finalize(insert);
	close_shop();
}

/* shop sell DB SECONDS: take orders so long, 0 is for ever; then "sold", how many, and the seconds. */
static void sell(const char *path, double seconds)
{
	sqlite3_stmt *insert;
	int64_t first, id;
	double begin, time = 0;

	open_shop(path, 0);
	first = number("SELECT max(id) FROM orders") + 1;
	insert = prepare("INSERT INTO orders VALUES (?, ?)");
	begin = now();
	for (id = first; !seconds || time < seconds; id++) {
		take_order(insert, id);
		printf("ack %lld\n", (long long)id);
		time = now() - begin;
	}
	printf("sold %lld %.3f\n", (long long)(id - first), time);
	sqlite3_finalize(insert);
	close_shop();
}

/* shop audit DB: every order from 1 to the last is there, with the right content; prints the last one's number. */
static void audit(const char *path)
{
	unsigned char content[CONTENT_SIZE];
	sqlite3_stmt *rows;
	int64_t next = 1;
	int r;

	open_shop(path, 0);
	rows = prepare("SELECT id, content FROM orders ORDER BY id");
	while ((r = sqlite3_step(rows)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(rows, 0);

		if (id != next) {
			fprintf(stderr, "shop: order %lld is missing, the next is %lld\n", (long long)next, (long long)id);
			exit(1);
		}
		content_of(id, content);
		if (sqlite3_column_bytes(rows, 1) != CONTENT_SIZE ||
		    memcmp(sqlite3_column_blob(rows, 1), content, CONTENT_SIZE)) {
			fprintf(stderr, "shop: order %lld has the wrong content\n", (long long)id);
			exit(1);
		}
		next++;
	}
	if (r != SQLITE_DONE)
		die("audit");
	sqlite3_finalize(rows);
	close_shop();
	printf("%lld\n", (long long)next - 1);
}

/* shop probe DEVICE: the milliseconds of a 4 KiB write and a flush. It writes what the device's first block holds. */
static void probe(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT), count = 0;
	double begin, t;
	void *block;

	if (fd < 0 || posix_memalign(&block, PROBE_SIZE, PROBE_SIZE) || pread(fd, block, PROBE_SIZE, 0) != PROBE_SIZE)
		die(path);
	begin = now();
	do {
		if (pwrite(fd, block, PROBE_SIZE, 0) != PROBE_SIZE || fdatasync(fd))
			die(path);
		count++;
		t = now() - begin;
	} while (t < PROBE_SECONDS);
	close(fd);
	printf("%.2f\n", t / count * 1000);
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "new"))
		make(argv[2], atoll(argv[3]), argc == 5 ? argv[4] : "WAL");
	else if (argc == 4 && !strcmp(argv[1], "sell"))
		sell(argv[2], atof(argv[3]));
	else if (argc == 3 && !strcmp(argv[1], "audit"))
		audit(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "probe"))
		probe(argv[2]);
	else
		return 2;
	return 0;
}
