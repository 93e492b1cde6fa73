# doctor.sh - 1,000 DDL statements that are none of the doctor's business, in a
# database with idem and in one without: CPU time of the backend, in turn

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
	echo "SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint / 1000000;"
} | $as tee "$doctor_script" >/dev/null

# Milliseconds of CPU that the backend took in database $1
doctor_run()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d "$1" -f "$doctor_script" | tail -n 1
}

bench_ask "CREATE DATABASE doctor_bare" >/dev/null
bench_ask "CREATE DATABASE doctor_idem" >/dev/null
"$bin/psql" -X -q -h "$tmp" -U postgres -d doctor_idem -c "CREATE EXTENSION idem"
doctor_bare=
doctor_idem=
for _ in 1 2 3 4 5; do
	doctor_bare="$doctor_bare $(doctor_run doctor_bare)"
	doctor_idem="$doctor_idem $(doctor_run doctor_idem)"
done
# shellcheck disable=SC2086 # one number a line
bench_record "1,000 unrelated DDL statements" ms "without idem" \
	"$(printf '%s\n' $doctor_idem | bench_median)" \
	"$(printf '%s\n' $doctor_bare | bench_median)" 1.1
bench_ask "DROP DATABASE doctor_bare" >/dev/null
bench_ask "DROP DATABASE doctor_idem" >/dev/null
