# doctor.pl - make doctor.sql, the schema audit for databases without idem
#
#	perl contrib/doctor.pl src/audit/*.sql >contrib/doctor.sql
#
# The views are those of the extension, turned into temporary ones.  What asks
# for guards is taken out, since there are none; money_micro is no type there;
# and what only newer servers have is written so that 13 can read it.
use strict;
use warnings;

local $/;
my $sql = join '', map { without_head($_) } <>;

# The head of a file is for those who work on the room.
sub without_head
{
	return $_[0] =~ s/\A\n*(?:--.*\n)+\n(?:-- What is wrong with a schema.*\n(?:--.*\n)*\n)?//r;
}

# A statement that only the extension needs
$sql =~ s/^(?:COMMENT ON|REVOKE) (?:[^';]|'(?:[^']|'')*')*;\n//mg;

# NOT EXISTS (SELECT FROM pg_trigger ...): is there a guard?
my $balanced = qr/(\((?:[^()']|'(?:[^']|'')*'|(?1))*\))/;
$sql =~ s{^([ ]*)-- a row for each claim of the key.*\n}{}mg;
$sql =~ s{NOT EXISTS (?=\(SELECT FROM pg_catalog\.pg_trigger)$balanced}{true}g;

# A body that is an expression came with 14
$sql =~ s{\nRETURN (.*?);\n}{ AS \$\$\nSELECT $1\n\$\$;\n}s;
# NULLS NOT DISTINCT with 15
$sql =~ s{NOT i\.indnullsnotdistinct}
	{NOT coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false)}g;

# A function in C
$sql =~ s{^CREATE FUNCTION idem\.largest_value[^;]*;\n}{}m;
$sql =~ s{idem\.largest_value\(f\.relation, f\.attname::text\)}
	{"pg_catalog.substring(pg_catalog.query_to_xml(\n"
	. "                         pg_catalog.format('SELECT max(%I) AS largest FROM %s', f.attname, f.relation::regclass), false, true, '')::text,\n"
	. "                         '<largest>(-?\\d+)</largest>')::bigint"}e;

$sql =~ s{'pg_catalog\.money_micro'::regtype}{'-'::regtype}g;
$sql =~ s{CREATE VIEW idem\.}{CREATE TEMPORARY VIEW }g;
$sql =~ s{\bidem\.(schema_\w+|fed_columns|sequence_problems)\b}{pg_temp.$1}g;
die "a function of idem is left\n" if $sql =~ /\bidem\.\w*settings?\w*\(/;

print <<'HEAD', $sql, <<'TAIL';
-- doctor.sql - what is wrong with a schema that keeps money, without installing
-- anything
--
--	psql -X -f doctor.sql DATABASE
--
-- For PostgreSQL 13 and later, managed ones too.  Any role may run it that may
-- make temporary views; it reads names, types, indexes and comments of tables,
-- of their rows only the largest value of a unique column that a sequence
-- feeds, locks nothing, and leaves nothing behind.  It finds columns that look
-- like keys and have no unique constraint, or one that holds only for a day or
-- a partition; amounts in float, or in integers without a unit; status columns
-- that nothing holds; sequences behind their column, or nearly used up.  A
-- finding is a line to read: a name can mean something else.  The remedies that
-- name idem are those of the extension.
--
-- Made from src/audit/ by contrib/doctor.pl.

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

HEAD

SELECT severity, object, finding, remedy
FROM (SELECT * FROM pg_temp.schema_problems
      UNION ALL SELECT * FROM pg_temp.sequence_problems) problems
ORDER BY pg_catalog.array_position('{error,warning,notice}', severity), object, finding;
TAIL
