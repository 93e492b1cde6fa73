# Who a server is, its configuration says, and where that counts: the file, the
# library loaded by the session or by the server, what hides it; a dump that is
# restored, and a database that is copied, elsewhere or beside the first one.
# Nothing is sent from a copy before an operator has adopted it, whatever it is
# called. Backups and promotions: 625_site_moved.pl.
#
# Method: the file of idem.site lies in a folder beside the server's, and is
# included by its configuration. Each question is a session of its own, which
# has not loaded the library before, unless the server does that for all.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "include_if_exists '$dir/site.conf'");
configure("idem.site = 'production'");
$node->start;

# Write the file outside of the data directory.
sub configure
{
	my ($text) = @_;

	unlink "$dir/site.conf";
	append_to_file("$dir/site.conf", "$text\n");
}

# What a session says that begins so: here, or why not.
sub said
{
	my ($begin, %how) = @_;
	local $ENV{PGOPTIONS} = $how{options} // '';
	my ($ret, $out, $err) = ($how{node} // $node)->psql($how{dbname} // 'postgres',
		$begin . q{; SELECT CASE WHEN why IS NULL THEN 'here' ELSE why END FROM idem.misplaced() why}, %{ $how{params} // {} });

	return $out ne '' ? $out : $err;
}

sub reloaded
{
	$node->reload;
	# a session that begins now has read it
	$node->poll_query_until('postgres', 'SELECT pg_conf_load_time() > now() - interval \'1 min\'');
}

$node->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('payout', 'outside', '{}', quiet => '0');
	CREATE FUNCTION reserve(k text) RETURNS text LANGUAGE sql AS $$ SELECT outcome FROM idem.reserve('payout', k) $$;
	SELECT reserve('a'), reserve('b'), reserve('copied'), reserve('released');
	SELECT idem.release('payout', 'released', 1)});
my ($ret, $out, $err) = $node->psql('postgres', "SELECT idem.set_site('staging')");
like($err, qr/the site of the database is "staging", and this server is "production"/, 'a place that the server is not is refused');
$node->safe_psql('postgres', "SELECT idem.set_site('production')");
is(said(''), 'here', 'a server is the place by a file outside');
is($node->safe_psql('postgres', "SELECT reserve('c')"), 'reserved', 'and there it goes on');
like($node->safe_psql('postgres', "CALL idem.dispatch('payout', 'a', 1)"), qr/^granted\|t/, 'effects leave');

# ---------------------------------------------------------------------------
# What hides the setting
# ---------------------------------------------------------------------------

is(said("SET idem.site = 'x'"), 'here', 'SET before the library is loaded hides nothing');
like(said('', options => '-c idem.site=production'), qr/does not set idem.site, or the connection/, 'the options of a connection hide it');
like(said('', options => '-c idem.site='), qr/does not set idem.site/, 'also with nothing');
$node->safe_psql('postgres', "CREATE ROLE hidden SUPERUSER LOGIN; ALTER ROLE hidden SET idem.site = 'production'");
like(said('', params => { extra_params => [ '-U', 'hidden' ] }), qr/does not set idem.site/, 'ALTER ROLE hides it');
$node->safe_psql('postgres', "ALTER DATABASE postgres SET idem.site = 'production'");
like(said(''), qr/does not set idem.site/, 'ALTER DATABASE hides it');
is($node->safe_psql('postgres', "SELECT reserve('d')"), 'misplaced', 'and so nothing is granted');
is($node->safe_psql('postgres', q{SELECT severity || ' ' || object FROM idem.doctor() WHERE object ~ '^setting idem.site' ORDER BY 1}),
	"error setting idem.site of database postgres\nerror setting idem.site of role hidden", 'the doctor lists both');
$node->safe_psql('postgres', "ALTER DATABASE postgres RESET idem.site; ALTER ROLE hidden RESET idem.site");
is(said(''), 'here', 'and without them it is the place again');

# A session that stays open obeys from the next statement after a reload on.
sub session
{
	my ($change) = @_;

	return $node->safe_psql('postgres', "SELECT coalesce(idem.misplaced(), 'here');\n"
		  . "$change\nSELECT pg_reload_conf();\nSELECT pg_sleep(0.3);\nSELECT coalesce(idem.misplaced(), 'here')") =~ s/\nt\n\n/\n/r;
}
configure("idem.site = 'staging'");
reloaded();
like(said(''), qr/"production", and this server is "staging"/, 'another place');
like(session("\\! echo \"idem.site = 'production'\" > $dir/site.conf"), qr/"staging"\nhere$/, 'a session sees the place come back');
like(session("\\! rm $dir/site.conf"), qr/^here\nthe configuration of the server does not set/, 'and go');

# ---------------------------------------------------------------------------
# Where the setting comes from
# ---------------------------------------------------------------------------

my $data = $node->data_dir;
append_to_file("$data/inside.conf", "idem.site = 'production'\n");
$node->append_conf('postgresql.conf', "include_if_exists '$dir/link.conf'");
symlink "$data/inside.conf", "$dir/link.conf";
reloaded();
like(said(''), qr/link.conf", lies inside the data directory/, 'a link into the data directory does not count');
unlink "$dir/link.conf";
$node->append_conf('postgresql.conf', "idem.site = 'production'");
reloaded();
like(said(''), qr/postgresql.conf", lies inside the data directory/, 'nor does a file of the data directory');
like($node->safe_psql('postgres', q{SELECT string_agg(finding, '') FROM idem.doctor() WHERE severity = 'error'}), qr/inside the data directory/,
	'the doctor says so');
is(session("\\! sed -i '/^idem.site/d' $data/postgresql.conf; echo \"idem.site = 'production'\" > $dir/site.conf") =~ s/^.*\n//r, 'here',
	'a file elsewhere with the same name does');
($ret, $out, $err) = $node->psql('postgres', "SELECT idem.misplaced(); ALTER SYSTEM SET idem.site = 'production'");
like($err, qr/parameter "idem.site" cannot be changed/, 'ALTER SYSTEM is refused');
# the server does not know that where the library is not loaded
$node->safe_psql('postgres', "ALTER SYSTEM SET idem.site = 'production'");
reloaded();
like(said(''), qr/postgresql.auto.conf", lies inside the data directory/, 'and where it is not, its file does not count');
$node->safe_psql('postgres', "ALTER SYSTEM RESET idem.site");

# The library is loaded by the server, and the place named on its command line.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'idem'");
$node->stop;
system_or_bail('pg_ctl', '-w', '-D', $data, '-l', $node->logfile, '-o', '-c idem.site=production', 'start');
like(said(''), qr/does not come from a configuration file, but from: command line/, 'a command line does not count');
system_or_bail('pg_ctl', '-w', '-D', $data, '-m', 'fast', 'stop');
$node->start;
is(said(''), 'here', 'the file counts also where the server has loaded the library');
like(said("SET idem.site = 'x'"), qr/ERROR:  parameter "idem.site" cannot be changed now/, 'there it cannot be set');
($ret, $out, $err) = $node->psql('postgres', 'SELECT 1', extra_params => [ '-d', $node->connstr('postgres') . " options='-c idem.site=x'" ]);
like($err, qr/parameter "idem.site" cannot be changed now/, 'nor by a connection');

# ---------------------------------------------------------------------------
# Copies of the database
# ---------------------------------------------------------------------------

# Does a copy send?  Never before it is adopted.
sub refused
{
	my ($copy, $dbname, $why, $name) = @_;

	is($copy->safe_psql($dbname, "SELECT reserve(replace('$name', ' ', '-')), reserve('released')"), 'misplaced|misplaced', "$name reserves nothing");
	like($copy->safe_psql($dbname, "CALL idem.dispatch('payout', 'copied', 1)"), qr/^misplaced\|f\|f\|f\|reserved/, "$name dispatches nothing");
	like(said('', node => $copy, dbname => $dbname), $why, "$name says why");
}

$node->safe_psql('postgres', $_) foreach 'CREATE DATABASE template TEMPLATE postgres';
refused($node, 'template', qr/the database is a copy/, 'a database made from the other one');

# The dump of yesterday, restored into the database that has sent since.
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->safe_psql('again', q{CREATE EXTENSION idem; SELECT idem.create_scope('payout', 'outside', '{}'), idem.set_site('production'), idem.reserve('payout', 'k')});
$node->command_ok([ 'pg_dump', '-f', "$dir/yesterday.sql", $node->connstr('again') ], 'a dump of a database');
like($node->safe_psql('again', "CALL idem.dispatch('payout', 'k', 1)"), qr/^granted/, 'in which a key is sent then');
$node->safe_psql('again', "SET idem.allow_unguarded = 'yesterday comes back'; DROP EXTENSION idem");
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/yesterday.sql", $node->connstr('again') ], 'and which the dump replaces');
like(said('', dbname => 'again'), qr/the database is a copy/, 'is a copy of itself');
like($node->safe_psql('again', "CALL idem.dispatch('payout', 'k', 1)"), qr/^misplaced/, 'and does not send the key again');
is($node->safe_psql('again', "SELECT unknown FROM idem.adopt_site('test', lost => '1 day'); SELECT idem.misplaced() IS NULL"), "1\nt", 'before it is adopted');
my $dump = "$dir/dump.sql";
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE beside');
$node->psql('beside', '', extra_params => [ '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump ]);
refused($node, 'beside', qr/the database is a copy/, 'a dump restored beside');
is($node->safe_psql('beside', 'SELECT name, on_move IS NULL, role FROM idem.site'),
	$node->safe_psql('postgres', 'SELECT name, on_move IS NULL, role FROM idem.site'), 'what was set is carried along');

my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', "include_if_exists '$dir/other.conf'");
$other->start;
$other->psql('postgres', '', extra_params => [ '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump ]);
refused($other, 'postgres', qr/does not set idem.site/, 'a dump restored elsewhere');
append_to_file("$dir/other.conf", "idem.site = 'staging'\n");
$other->reload;
refused($other, 'postgres', qr/"production", and this server is "staging"/, 'a dump restored at another place');

# What was a copy becomes a place of its own, or the place, by an operator.
my @before = map { $other->psql('postgres', $_) } "SELECT idem.adopt_site('test', lost => '0')";
is($before[0], 3, 'adopt_site is refused where the server is another place');
($ret, $out, $err) = $other->psql('postgres', "SELECT idem.set_site('staging')");
like($err, qr/the database has site "production" already/, 'so is to set another place without a reason');
$other->safe_psql('postgres', "SELECT idem.set_site('staging', reason => 'tests of the release')");
refused($other, 'postgres', qr/the database is a copy/, 'a copy that was given another name');
is($other->safe_psql('postgres', "SELECT outcome, settled FROM idem.fence('payout', 'b', 'cancelled')"), 'in_progress|f', 'a fence is remembered there');
is($other->safe_psql('postgres', "SELECT unknown, held_until FROM idem.adopt_site('nothing else sends', lost => '0')"), '0|',
	'nothing is lost of a dump that is complete');
is($other->safe_psql('postgres', "SELECT outcome, settled, state FROM idem.lookup('payout', 'b')"), 'fenced|t|fenced', 'what was to be fenced is');
is($other->safe_psql('postgres', "SELECT reserve('new'), reserve('released')"), 'reserved|reserved', 'then it reserves');
like($other->safe_psql('postgres', "CALL idem.dispatch('payout', 'copied', 1)"), qr/^granted\|t/, 'and dispatches');
is($other->safe_psql('postgres', q{SELECT action, name, reason FROM idem.change_log WHERE kind = 'site' ORDER BY n}),
	"declared|production|\naltered|staging|tests of the release\nadopted|staging|nothing else sends", 'all of it is in the change log');
is($other->safe_psql('postgres', "SELECT coalesce(idem.misplaced(), 'here')"), 'here', 'the same by a session of its own');
is(said(''), 'here', 'and the first server goes on as before');

# One who may not: on_move => 'follow' without standbys
($ret, $out, $err) = $node->psql('postgres', "SELECT idem.set_site('production', on_move => 'follow', reason => 'test')");
like($err, qr/site "production" cannot follow to a new timeline/, 'follow needs standbys in every scope');
$node->safe_psql('postgres', "SELECT idem.alter_scope('payout', standbys => 1); SELECT idem.set_site('production', on_move => 'follow', reason => 'test')");
is($node->safe_psql('postgres', "SELECT idem.create_scope('alone', 'outside', '{}'); SELECT finding FROM idem.doctor() WHERE object = 'site production'"),
	"\nis to follow to a new timeline, and does not, as long as scope alone asks for no standbys", 'the doctor says where it does not any more');
is($node->safe_psql('postgres', "SELECT idem.set_site('production', on_move => 'follow')"), '', 'the same again is nothing');

$node->stop;
$other->stop;
done_testing();
