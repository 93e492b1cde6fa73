# What the doctor says of the settings of a server.
#
# On a server set up for money (fsync, full_page_writes and synchronous_commit
# on) a fresh extension and a guarded table give no finding.  Each setting
# switched off gives one, whether for the server, a database, a role, or a role
# in a database; another database's is not this one's matter.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
fsync = on
full_page_writes = on
synchronous_commit = on
EOC
$node->start;

# The findings, a line each: severity|object|finding|remedy.
sub findings
{
	my ($database) = @_;

	return $node->safe_psql($database, 'SELECT * FROM idem.doctor()');
}

$node->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	CREATE TABLE payment (id int PRIMARY KEY, amount_cents int);
});
is(findings('postgres'), '', 'nothing to find without a guard');
$node->safe_psql('postgres', q{
	SELECT idem.guard_fixed('payment', '{amount_cents}');
	SELECT idem.guard_kept('payment');
	INSERT INTO payment VALUES (1, 100);
});
is(findings('postgres'), '', 'nothing to find with guards');

my %severity = (
	fsync => 'error',
	full_page_writes => 'warning',
	synchronous_commit => 'warning');

foreach my $setting (sort keys %severity)
{
	$node->adjust_conf('postgresql.conf', $setting, 'off');
	$node->reload;
	like(findings('postgres'),
		qr/^$severity{$setting}\|setting $setting\|is off: [^|\n]+\|set $setting = on$/,
		"$setting is off");
	$node->adjust_conf('postgresql.conf', $setting, 'on');
	$node->reload;
	is(findings('postgres'), '', "$setting is on again");
}

# Each of these says it for some sessions only.
$node->safe_psql('postgres', 'CREATE ROLE app; CREATE DATABASE other');
foreach my $whose ('ROLE app', 'ROLE app IN DATABASE postgres')
{
	$node->safe_psql('postgres', "ALTER $whose SET synchronous_commit = off");
	is( findings('postgres'),
		'warning|setting synchronous_commit of '
		  . lc($whose)
		  . '|is off: a crash can take back what was told to the client|'
		  . "ALTER $whose RESET synchronous_commit",
		"off for $whose");
	$node->safe_psql('postgres', "ALTER $whose RESET synchronous_commit");
}
$node->safe_psql('postgres',
	'ALTER DATABASE postgres SET synchronous_commit = off');
like(findings('postgres'),
	qr/\|setting synchronous_commit of database postgres\|.*\|ALTER DATABASE postgres RESET/,
	'off for this database');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET ALL');
$node->safe_psql('postgres',
	'ALTER DATABASE other SET synchronous_commit = off');
is(findings('postgres'), '', 'what is off for another database is not ours');

$node->stop;
done_testing();
