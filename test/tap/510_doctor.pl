# What the doctor says of the settings of a server.
#
# On a server set up for money (fsync, full_page_writes and synchronous_commit
# on) a fresh extension and a guarded table give no finding.  Each setting
# switched off gives one, whether for the server, a database, a role, or a role
# in a database; another database's is not this one's matter.  A transaction
# that was prepared and forgotten is found after ten minutes, which the test
# does not wait for: it sets back the clock in the file of the transaction.

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
max_prepared_transactions = 2
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

# a server from 17 on can switch event triggers off
SKIP:
{
	skip 'before PostgreSQL 17 nobody can switch event triggers off', 2
	  if $node->safe_psql('postgres', 'SHOW server_version_num') < 170000;
	is( $node->safe_psql('postgres', 'SET event_triggers = off; SELECT * FROM idem.doctor()'),
		'warning|setting event_triggers|is off: DDL can weaken guards|set event_triggers = on',
		'event_triggers is off');
	is($node->safe_psql('postgres', 'SET event_triggers = on; SELECT * FROM idem.doctor()'), '', 'event_triggers is on');
}

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

#
# Prepared and forgotten
#

# CRC-32C, as the server ends the file of a prepared transaction with.
sub crc32c
{
	my ($bytes) = @_;
	my $crc = 0xFFFFFFFF;

	foreach my $byte (unpack 'C*', $bytes)
	{
		$crc ^= $byte;
		$crc = $crc & 1 ? ($crc >> 1) ^ 0x82F63B78 : $crc >> 1 foreach 1 .. 8;
	}
	return $crc ^ 0xFFFFFFFF;
}

# Let it have been prepared so many seconds earlier.  The file begins with
# two numbers of 4 bytes, the transaction, the database, and the time in
# microseconds.
sub set_back
{
	my ($seconds) = @_;
	my ($file) = glob($node->data_dir . '/pg_twophase/*');
	my $bytes = slurp_file($file);
	my $time = unpack 'q<', substr($bytes, 16, 8);

	substr($bytes, 16, 8) = pack 'q<', $time - $seconds * 1_000_000;
	substr($bytes, -4) = pack 'L<', crc32c(substr($bytes, 0, -4));
	open my $out, '>:raw', $file or die "$file: $!";
	print $out $bytes;
	close $out or die "$file: $!";
	return;
}

$node->safe_psql('postgres', q{
	BEGIN;
	LOCK TABLE payment IN ACCESS SHARE MODE;
	SELECT txid_current();
	PREPARE TRANSACTION 'forgotten'});
is(findings('postgres'), '', 'what was prepared just now is nothing to speak of');
foreach my $minutes (9, 2)
{
	$node->stop;
	set_back($minutes * 60);
	$node->start;
	is(findings('postgres'), '', 'nor is it after nine minutes') if $minutes == 9;
}
like(findings('postgres'),
	qr/^warning\|prepared transaction 'forgotten'\|of \w+ is open since [^|]+: others wait for its rows and keys\|COMMIT PREPARED 'forgotten' or ROLLBACK PREPARED 'forgotten'$/,
	'after eleven it was forgotten');
$node->safe_psql('other', 'CREATE EXTENSION idem');
unlike(findings('other'), qr/prepared/, 'in another database it is not our matter');
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'forgotten'});
is(findings('postgres'), '', 'rolled back, it is gone');

$node->stop;
done_testing();
