# ddl.sh - DDL on one of 10,000 partitions of a guarded table, beside the same
# with idem as it was at commit 30fe275, whose event triggers looked at less:
# instructions of the backend, and milliseconds on the clock
#
# The earlier idem is taken from git, built, and installed in place of this one
# while its database is made and measured.

ddl_before=30fe275
ddl_settings="max_locks_per_transaction = 1000"
ddl_kinds="constraint default index trigger"

# What is run, by its kind: it leaves the table as it was.
ddl_statements()
{
	case $1 in
		constraint)
			echo "ALTER TABLE part_500 ADD CONSTRAINT c CHECK (id > 0) NOT VALID;"
			echo "ALTER TABLE part_500 DROP CONSTRAINT c;" ;;
		default)
			echo "ALTER TABLE part_500 ALTER note SET DEFAULT 'none';"
			echo "ALTER TABLE part_500 ALTER note DROP DEFAULT;" ;;
		index)
			echo "CREATE INDEX i ON part_500 (note);"
			echo "DROP INDEX i;" ;;
		trigger)
			echo "CREATE TRIGGER t BEFORE INSERT ON part_500 FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();"
			echo "DROP TRIGGER t ON part_500;" ;;
	esac
}

# A database with the guarded table, for the idem that is installed.
ddl_prepare()
{
	bench_ask "CREATE DATABASE $1" >/dev/null
	"$bin/psql" -X -q -h "$tmp" -U postgres -d "$1" -v ON_ERROR_STOP=1 >>"$tmp/bench.log" 2>&1 <<-'END' ||
		CREATE EXTENSION idem;
		CREATE TABLE parted (id int PRIMARY KEY, amount int, note text) PARTITION BY LIST (id);
		DO $$ BEGIN FOR i IN 1 .. 10000 LOOP
			EXECUTE format('CREATE TABLE part_%s PARTITION OF parted FOR VALUES IN (%1$s)', i);
		END LOOP; END $$;
		SELECT idem.guard_fixed('parted', '{amount}');
		SELECT idem.guard_kept('parted');
	END
		die "preparing $1 failed, see $tmp/bench.log"
}

ddl_times()
{
	bench_database=$1
	for ddl_kind in $ddl_kinds; do
		bench_tps "$tmp/tmp/ddl_$ddl_kind.sql" 1 3 |
			awk '{ print 1000 / $1 }' >"$tmp/ddl_$1_$ddl_kind.ms"
	done
}

ddl_instructions()
{
	bench_database=$1
	for ddl_kind in $ddl_kinds; do
		bench_instructions "$tmp/tmp/ddl_$ddl_kind.sql" 100 \
			>"$tmp/ddl_$1_$ddl_kind.instructions"
	done
}

# Measure the idem that is installed, in a database of its own.
ddl_measure()
{
	bench_restart "$ddl_settings"
	ddl_prepare "$1"
	ddl_times "$1"
	bench_counted "$ddl_settings" || return 1
	ddl_instructions "$1"
	bench_uncounted
	bench_database=
}

ddl_report()
{
	for ddl_kind in $ddl_kinds; do
		bench_record "DDL on one of 10,000 partitions: $ddl_kind" instructions "idem at $ddl_before" \
			"$(cat "$tmp/ddl_now_$ddl_kind.instructions")" "$(cat "$tmp/ddl_before_$ddl_kind.instructions")" 1.2
		bench_record "DDL on one of 10,000 partitions: $ddl_kind" ms "idem at $ddl_before" \
			"$(cat "$tmp/ddl_now_$ddl_kind.ms")" "$(cat "$tmp/ddl_before_$ddl_kind.ms")"
	done
}

ddl_make()
{
	idem_step "$tmp/build.log" "make $2 in $1" make -s -C "$1" with_llvm=no \
		PG_CONFIG="$bin/pg_config" "$2"
}

if git -C "$here" cat-file -e "$ddl_before^{commit}" 2>/dev/null; then
	for ddl_kind in $ddl_kinds; do
		ddl_statements "$ddl_kind" | $as tee "$tmp/tmp/ddl_$ddl_kind.sql" >/dev/null
	done
	# shellcheck disable=SC2086 # $as is several words
	$as mkdir "$tmp/before"
	# shellcheck disable=SC2086
	git -C "$here" archive "$ddl_before" | $as tar -C "$tmp/before" -xf -
	ddl_make "$tmp/before" all
	idem_make "$tmp/build.log" -s all
	ddl_make "$tmp/before" install
	if ddl_measure before; then
		ddl_make "$src" install
		ddl_measure now && ddl_report
	fi
	ddl_make "$src" install
	bench_restart
	bench_ask "DROP DATABASE IF EXISTS before" >/dev/null
	bench_ask "DROP DATABASE IF EXISTS now" >/dev/null
else
	say "$part: commit $ddl_before is not in this git, so nothing is compared"
fi
