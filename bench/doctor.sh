# doctor.sh - 1,000 DDL statements on tables without guards, in a database with
# idem and in one without: instructions of the backend (DDL on guarded ones is
# measured by ddl.sh)

doctor_script=$tmp/tmp/doctor_ddl.sql
i=0
{
	echo "CREATE SCHEMA m; SET search_path = m; SET client_min_messages = error;"
	while [ "$i" -lt 125 ]; do
		printf '%s;\n' \
			"CREATE TABLE t$i (id bigint PRIMARY KEY, a text, b int)" \
			"CREATE INDEX ON t$i (a)" \
			"ALTER TABLE t$i ADD COLUMN c numeric" \
			"ALTER TABLE t$i ALTER COLUMN b SET DEFAULT 1" \
			"ALTER TABLE t$i RENAME COLUMN a TO aa" \
			"CREATE VIEW v$i AS SELECT * FROM t$i" \
			"DROP VIEW v$i" \
			"DROP TABLE t$i"
		i=$((i + 1))
	done
	echo "DROP SCHEMA m;"
} | $as tee "$doctor_script" >/dev/null

# Instructions of the backend that runs the script in database $1
doctor_run()
{
	$as rm -f "$tmp"/tmp/callgrind.*
	"$bin/psql" -X -q -h "$tmp" -U postgres -d "$1" -f "$doctor_script"
	# the server writes the file when the backend has ended
	sleep 3
	sed -n 's/^totals: //p' "$tmp"/tmp/callgrind.* | sort -n | tail -n 1
}

bench_ask "CREATE DATABASE doctor_bare" >/dev/null
bench_ask "CREATE DATABASE doctor_idem" >/dev/null
"$bin/psql" -X -q -h "$tmp" -U postgres -d doctor_idem -c "CREATE EXTENSION idem"
if bench_counted; then
	# the first backend of a database fills its caches
	doctor_run doctor_bare >/dev/null
	doctor_run doctor_idem >/dev/null
	bench_record "1,000 unrelated DDL statements" instructions "without idem" \
		"$(doctor_run doctor_idem)" "$(doctor_run doctor_bare)" 1.1
	bench_uncounted
fi
bench_ask "DROP DATABASE doctor_bare" >/dev/null
bench_ask "DROP DATABASE doctor_idem" >/dev/null
