# ALTER EXTENSION UPDATE leaves what a new install makes, and keeps every row.
#
# Method: each version whose install script is frozen in src/update/ is
# installed, with the library of today, and every room is filled (the tables of
# test/proof/upgrade/), so that the library of today also serves the script of
# yesterday while nobody has said ALTER EXTENSION.  A dump made then is restored
# into the extension of today.  After the update the rows are there, the guards
# refuse what they refused, a dump can be restored, and the catalog is compared
# with that of a new install, object by object (550_update.sql).  Then the same
# for an owner of a database who is no superuser.
#
# What differs is named, with the object.  Its line belongs into the update
# script of src/update/ whose name ends with the version of today.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @frozen = map { m{idem--([\d.]+)\.sql$} ? $1 : () } sort(glob('src/update/idem--*.sql'));
my $findings = q{SELECT severity, object, regexp_replace(finding, '(since|until|for) .*', '') FROM idem.doctor()};
my $copies = 0;
my ($today) = slurp_file('idem.control') =~ /^default_version = '(.*)'/m;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
# outside of the data directory, as the setting of a site has to be
append_to_file("${PostgreSQL::Test::Utils::tmp_check}/site.conf", "idem.site = 'test'\n");
$node->append_conf('postgresql.conf', "include '${PostgreSQL::Test::Utils::tmp_check}/site.conf'\njit = off");
$node->start;

# What psql prints for a query: rows only, unaligned.
sub rows
{
	my ($database, $query) = @_;

	return $node->safe_psql($database, $query);
}

# Run a file, as a superuser or as somebody else; what it said.
sub run_file
{
	my ($database, $file, @extra) = @_;
	my ($status, $out, $err) = $node->psql($database, slurp_file($file), extra_params => \@extra);

	is($status, 0, "$file runs in $database") or diag($err);
	return $out;
}

# The extension of a database: what each aspect of each object is.
sub catalog
{
	my ($database) = @_;
	my %catalog;

	foreach (split /\n/, rows($database, slurp_file('test/tap/550_update.sql')))
	{
		my $row = decode_json($_);

		$catalog{ $row->{object} }{ $row->{aspect} } = $row->{value};
	}
	return \%catalog;
}

# The first line in which two texts differ, of each.
sub first_difference
{
	my ($is, $wanted) = map { [ split /\n/, $_ // '(none)' ] } @_;
	my $n = 0;

	$n++ while $n < @$is && $n < @$wanted && $is->[$n] eq $wanted->[$n];
	return sprintf("\n      is  %s\n      not %s", map { $_->[$n] // '(nothing more)' } $is, $wanted);
}

# What differs in the updated database: a line each, with the object.
sub differences
{
	my ($updated, $new) = @_;
	my @lines;

	foreach my $object (sort keys %{ { %$updated, %$new } })
	{
		if (!$updated->{$object} || !$new->{$object})
		{
			push @lines, "$object: " . ($new->{$object} ? 'is missing after the update' : 'is not there in a new install');
			next;
		}
		my ($is, $wanted) = ($updated->{$object}, $new->{$object});

		foreach my $aspect (sort keys %{ { %$is, %$wanted } })
		{
			push @lines, "$object: $aspect" . first_difference($is->{$aspect}, $wanted->{$aspect})
			  if ($is->{$aspect} // '(none)') ne ($wanted->{$aspect} // '(none)');
		}
	}
	return @lines;
}

my %catalog;    # of each database that was asked for

sub same_catalog
{
	my ($updated, $new, $from) = @_;
	$catalog{$_} //= catalog($_) foreach $updated, $new;
	my @differ = differences($catalog{$updated}, $catalog{$new});

	is(join("\n", @differ), '', "$from updated to $today is what a new install of $today is")
	  or diag("=> write what makes it so into src/update/idem--*--$today.sql");
	return;
}

# A query of the rows of all tables of the extension that go into a dump.
sub query_of_rows
{
	my ($database) = @_;
	my $list = q{SELECT c::regclass FROM pg_extension, unnest(extconfig) c WHERE extname = 'idem' ORDER BY 1};

	return join(' UNION ALL ', map { "SELECT '$_' AS name, to_jsonb(t) AS row FROM $_ t" } split /\n/, rows($database, $list));
}

# The rows of each of these tables, but the log, which tells of what comes after.
sub rows_in_dump
{
	my ($database) = @_;
	my $query = query_of_rows($database);

	return rows($database, "SELECT name, row FROM ($query) q WHERE name <> 'idem.change' ORDER BY 1, 2");
}

# A database into which a dump of this one is restored, and so the extension of today.
sub copy_of
{
	my ($database) = @_;
	my $dump = "${PostgreSQL::Test::Utils::tmp_check}/dump.sql";
	my $copy = 'copy ' . ++$copies;

	command_ok([ 'pg_dump', '-f', $dump, $node->connstr($database) ], "$database is dumped");
	rows('postgres', qq{CREATE DATABASE "$copy"});
	command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($copy), '-f', $dump ], 'and restored');
	return $copy;
}

# What the checks of pg_upgrade say is wrong, but for what is expected.
sub wrong
{
	my ($database, $expected) = @_;
	my $said = run_file($database, 'test/proof/upgrade/checks.sql');

	cmp_ok(() = $said =~ /^ok\|/mg, '>', 50, 'the guards are tried');
	return join("\n", grep { !/^ok\|/ && !($expected && /$expected/) } split /\n/, $said);
}

# Grant the roles of rooms.sql what there is for them today.
sub grant
{
	rows($_, q{
		SELECT idem.grant_runtime('app'), idem.grant_operator('duty'), idem.grant_admin('declarer'), idem.grant_monitor('metrics'), idem.grant_runtime('one_scope')}) foreach @_;
	return;
}

# The extension as it is installed today.
rows('postgres', 'CREATE DATABASE fresh');
rows('fresh', 'CREATE EXTENSION idem');
is(rows('fresh', q{SELECT extversion FROM pg_extension WHERE extname = 'idem'}), $today, "today is $today");

foreach my $version (@frozen)
{
	my $database = "from $version";

	rows('postgres', qq{CREATE DATABASE "$database"});
	rows($database, "CREATE EXTENSION idem VERSION '$version'");
	run_file($database, 'test/proof/upgrade/before.sql');
	is(wrong($database), '', "the library of $today serves the script of $version");
	run_file($database, 'test/proof/upgrade/rooms.sql');
	my $query = query_of_rows($database);
	my $tables = () = $query =~ /UNION ALL/g;

	is(rows($database, "SELECT count(DISTINCT name) - 1 FROM ($query) q"), $tables, "$version: every table has rows");
	is(rows($database, 'SELECT kind FROM idem.guard_kinds() WHERE kind IS NOT NULL EXCEPT SELECT kind FROM idem.guards'), '', 'there is a guard of every kind');
	rows($database, "CREATE TABLE kept.row AS $query; TRUNCATE kept.before; INSERT INTO kept.before SELECT * FROM kept.now");
	rows($database, "INSERT INTO kept.finding $findings");

	my $lost = "SELECT name, row FROM kept.row b WHERE NOT EXISTS (SELECT FROM ($query) t WHERE t.name = b.name AND t.row @> b.row)";

	is(rows(copy_of($database), $lost), '', "every row is kept by a dump of $version, restored into $today");

	rows($database, 'ALTER EXTENSION idem UPDATE');
	is(rows($database, $lost), '', "every row is kept by the update from $version");
	is(rows($database, "$findings EXCEPT SELECT * FROM kept.finding"), '', 'the doctor finds nothing new');
	rows($database, 'DROP TABLE kept.row');
	# the doctor has been asked, and what was granted again is logged
	is(wrong($database, qr/^WRONG\|(?:doctor: quiet|as it was: change)\|/), '', "guards, claims and rights are as before the update from $version");
	rows($database, 'DELETE FROM idem.policy');
	grant($database, 'fresh');    # again: what is new is not theirs before
	same_catalog($database, 'fresh', $version);

	is(rows_in_dump(copy_of($database)), rows_in_dump($database), "a dump of $version updated keeps every row");
}

# An owner of a database who is no superuser
rows('postgres', q{CREATE ROLE owner LOGIN; CREATE ROLE shop_app; CREATE DATABASE "owned fresh" OWNER owner});
$node->safe_psql('owned fresh', 'CREATE EXTENSION idem', extra_params => [ '-U', 'owner' ]);
foreach my $version (@frozen)
{
	my $database = "owned $version";

	rows('postgres', qq{CREATE DATABASE "$database" OWNER owner});
	foreach my $sql (
		"CREATE EXTENSION idem VERSION '$version'",
		q{CREATE SCHEMA mine; CREATE TABLE mine.payment (id int PRIMARY KEY, amount numeric); SELECT idem.guard_fixed('mine.payment', '{amount}')},
		q{SELECT idem.create_scope('debit', effect => 'inside', fields => '{}')},
		'ALTER EXTENSION idem UPDATE')
	{
		my ($status, $out, $err) = $node->psql($database, $sql, extra_params => [ '-U', 'owner' ]);

		is($err, '', "the owner of a database: $sql");
	}
	same_catalog($database, 'owned fresh', "$version of an owner");
}

$node->stop;
done_testing();
