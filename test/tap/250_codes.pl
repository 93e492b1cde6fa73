# Real return codes: what is listed means what was written down, anything else
# is unknown; and it stays so through a dump.
#
# Rows of a list of codes (channel, interface, code, class, action, grade,
# meaning) are graded anew by the rules of docs/codes.md, made into one Markdown
# table an interface, and defined.  Every row then means what it was graded as;
# every code that its interface does not list is unknown, and so is every listed
# code with a blank, a layer or a letter more or less.
#
# Raw answers of gateways go through an adapter of some lines of SQL.  Each ends
# as its verdict or unknown, never as the opposite.
#
# The rows and answers below are made up.  IDEM_RETURN_CODES names a file of the
# same columns, IDEM_GATEWAY_ANSWERS a folder with gateway_responses.tsv (file,
# gateway, HTTP status, verdict) and the answers in gateway_responses/; they
# are looked at besides.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $made_up = <<'TSV';
channel	interface	code	class	action	grade	meaning
bankA	pay	0000	success	none	yes	paid
bankA	pay	0010	success	none	yes	paid a part
bankA	pay	2001	failure	other_method	yes	balance too small
bankA	pay	2|7	failure	fix_request	yes	a field is missing
bankA	pay	DUP_SERIAL	failure	query	yes	the serial is known
bankA	pay	ORDERPAID	success	query	yes	the order is paid already
bankA	pay	E._SYS_	unknown	query	yes	system error
bankA	pay	3999	failure	none	no	guessed
bankA	query	0000	unknown	query	yes	the query was answered
bankA	query	4040	absent	none	yes	no such order
ach	return entry (addenda 99)	R01	failure	retry_new	yes	insufficient funds
ach	return entry (addenda 99)	R02	failure	manual	yes	account closed
alipay	gateway	10000	success	none	yes	the gateway was reached
alipay	trade.pay	ACQ.PAYMENT_FAIL	failure	retry_new	yes	payment failed
alipay	trade.pay	ACQ.TRADE_HAS_CLOSE	failure	retry_new	yes	the order is closed
TSV

# ----------------------------------------------------------------- the grading

# What is said of an order that was there before, not of this request
my $duplicate = qr/^(?:DUP_SERIAL|ORDERPAID|ORDERCLOSED|duplicate_transaction
	|ACQ\.(?:TRADE_HAS_SUCCESS|TRADE_HAS_CLOSE|CONTEXT_INCONSISTENT|TRADE_BUYER_NOT_MATCH))$/x;

sub regrade
{
	my ($row) = @_;

	return 'returned' if $row->{channel} eq 'ach';
	return $row->{class} if $row->{class} =~ /^(?:unknown|absent)$/;
	return 'unknown' if $row->{code} =~ $duplicate;

	# the gateway's word, which says nothing of the trade
	return 'unknown' if $row->{interface} eq 'gateway' && $row->{class} eq 'success';
	return $row->{class} eq 'success' ? 'succeeded' : 'failed';
}

sub read_rows
{
	my @lines = split /\n/, $_[0];
	my @names = split /\t/, shift @lines;
	my @rows;

	foreach my $line (@lines)
	{
		my %row;

		@row{@names} = split /\t/, $line;
		next unless $row{grade} eq 'yes';
		($row{table} = "$row{channel}/$row{interface}") =~ s/[^\w.\/]+/_/g;
		$row{is} = regrade(\%row);
		push @rows, \%row;
	}
	return @rows;
}

# The rows of one interface as a Markdown table
sub markdown
{
	my @rows = @_;
	my $succeeded = 0;
	my $text = "| code | meaning | note |\n| --- | --- | --- |\n";

	foreach my $row (@rows)
	{
		my ($code, $note) = map { s/\|/\\|/gr } $row->{code}, $row->{meaning};
		my $why = $row->{is} eq 'succeeded' && $succeeded++ ? " [also: $note]" : '';

		$code = "`$code`" unless $code =~ /^\w(?:[\w.]*\w)?$/ && $code !~ /_/;
		$text .= "| $code | $row->{is}$why | $note |\n";
	}
	return $text;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idem');

sub literal
{
	return defined $_[0] ? q{'} . $_[0] =~ s/'/''/gr . q{'} : 'NULL';
}

# "meaning listed" of each code on its interface
sub meanings
{
	my ($db, @asked) = @_;
	my $values = join ",\n", map { "($_, " . literal($asked[$_][0]) . ', ' . literal($asked[$_][1]) . ')' } 0 .. $#asked;

	return split /\n/, $node->safe_psql($db,
		"SELECT m.meaning || ' ' || m.listed FROM (VALUES $values) a (n, i, c), idem.meaning_of(i, ARRAY[c]) m ORDER BY n");
}

sub expect_meanings
{
	my ($db, $what, @cases) = @_;
	my @said = meanings($db, @cases);
	my @wrong = map { "$cases[$_][0] $cases[$_][1]: $said[$_]" } grep { $said[$_] ne $cases[$_][2] } 0 .. $#cases;

	is("@wrong", '', scalar(@cases) . " $what");
}

sub define_rows
{
	my ($what, $text) = @_;
	my @rows = read_rows($text);
	my (%tables, %listed, @unlisted);

	die "no rows in $what" unless @rows;
	push @{ $tables{ $_->{table} } }, $_ foreach @rows;
	foreach my $table (sort keys %tables)
	{
		$node->safe_psql('postgres', 'SELECT FROM idem.define_return_codes(' . literal($table) . ', ' .
			  literal(markdown(@{ $tables{$table} })) . q{, loosen => 'another list')});
		$listed{$table}{ $_->{code} } = 1 foreach @{ $tables{$table} };
	}
	foreach my $table (sort keys %tables)
	{
		foreach my $code (map { $_->{code} } @rows)
		{
			push @unlisted, map { [ $table, $_, 'unknown false' ] }
			  grep { !$listed{$table}{$_} } ($code, " $code", "$code ", lc $code, uc $code, substr($code, 1), "$code/1", "${code}0");
		}
	}
	my @known = map { [ $_->{table}, $_->{code}, "$_->{is} true" ] } @rows;

	foreach my $db ('postgres', 'restored')
	{
		if ($db eq 'restored')
		{
			$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS restored');
			$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
			$node->command_ok([ 'sh', '-c', 'pg_dump postgres | psql -X -v ON_ERROR_STOP=1 -q -d restored >/dev/null' ], "$what: restored");
		}
		expect_meanings($db, "rows of $what mean what they were graded as, $db", @known);
		expect_meanings($db, "codes that no table of $what lists are unknown, $db", @unlisted);
	}
	my %count;
	$count{ $_->{is} }++ foreach @rows;
	note("$what: " . join ', ', map { "$count{$_} $_" } sort keys %count);
	return;
}

define_rows('this file', $made_up);
define_rows($ENV{IDEM_RETURN_CODES}, slurp_file($ENV{IDEM_RETURN_CODES})) if $ENV{IDEM_RETURN_CODES};

# who, when and why come along, and versions are counted on
my $versions = 'SELECT name, version, md5(codes), owner, defined_at, defined_by, loosen, tighten FROM idem.return_code_table ORDER BY 1, 2';
is($node->safe_psql('restored', $versions), $node->safe_psql('postgres', $versions), 'versions are restored');
is($node->safe_psql('restored', q{SELECT version FROM idem.define_return_codes('bankA/query', E'|code|meaning|\n|---|---|\n|4040|unknown|') LIMIT 1}),
	2, 'and counted on');

# the script of all declarations brings what is in force, to the letter
$node->safe_psql('postgres', 'CREATE DATABASE scripted TEMPLATE template0');
$node->safe_psql('scripted', 'CREATE EXTENSION idem; ' . $node->safe_psql('postgres', 'SELECT idem.declarations()'));
my $in_force = 'SELECT DISTINCT ON (name) name, md5(codes) FROM idem.return_code_table ORDER BY name, version DESC';
is($node->safe_psql('scripted', $in_force), $node->safe_psql('postgres', $in_force), 'what is in force is declared by a script');

# ------------------------------------------------------------ answers as they come

# The adapters: what an answer has for a code, layer by layer.  Nothing is
# judged here.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION code_of(gateway text, answer text) RETURNS text[] AS $$
    SELECT CASE gateway
        WHEN 'stripe' THEN (SELECT CASE WHEN j ? 'error' THEN ARRAY['error', coalesce(j #>> '{error,code}', j #>> '{error,type}')]
                                        ELSE ARRAY[j ->> 'object', j ->> 'status'] END
                            FROM (SELECT substring(answer FROM '\{.*\}')::jsonb) b (j))
        WHEN 'paypal' THEN CASE WHEN answer ~ 'ACK=' THEN array_remove(ARRAY[substring(answer FROM 'ACK=(\w+)'), substring(answer FROM 'L_ERRORCODE0=(\w+)')], NULL)
                                ELSE ARRAY['state', substring(answer FROM '"state":"(\w+)","intent"')] END
        WHEN 'authorizenet' THEN array_remove(ARRAY[substring(answer FROM '<resultCode>(\w+)<'), substring(answer FROM '<code>(\w+)<'),
                                                    substring(answer FROM '<responseCode>(\w+)<')], NULL)
    END
$$ LANGUAGE sql;
SELECT FROM idem.define_return_codes('stripe', $$
| code                    | meaning   | note                                   |
| ----------------------- | --------- | -------------------------------------- |
| payment_intent/succeeded | succeeded |                                       |
| charge/succeeded        | succeeded [also: the older interface] |            |
| error/card_declined     | failed    |                                        |
| error/card_error        | failed    | declined, without a code               |
| payment_intent/processing | unknown | a later event says                     |
| error/payment_intent_unexpected_state | unknown | captured already, by whom?   |
| error/resource_missing  | unknown   | which object?                          |
$$);
SELECT FROM idem.define_return_codes('paypal', $$
| code           | meaning   | note                     |
| -------------- | --------- | ------------------------ |
| Success        | succeeded |                          |
| state/approved | succeeded [also: the REST interface] | |
| Failure/10410  | failed    | token not valid          |
| Failure/10414  | failed    | amount over the maximum  |
| Failure/10525  | failed    | amount is zero           |
| Failure/10562  | failed    | card's year not valid    |
| Failure/10415  | unknown   | completed already        |
$$);
SELECT FROM idem.define_return_codes('authorizenet', $$
| code           | meaning   | note                          |
| -------------- | --------- | ----------------------------- |
| Ok/I00001/1    | succeeded | approved                      |
| Error/E00007   | failed    | not authenticated             |
| Error/E00027/3 | failed    | an error, nothing was charged |
| Error/E00027/2 | failed    | declined                      |
| Error/E00039   | unknown   | a duplicate                   |
| Ok/I00001/4    | unknown   | held for review               |
$$);
SQL

# Name, gateway, verdict, answer
my @answers = (
	[ 'a charge', 'stripe', 'success', qq(HTTP/1.1 200 OK\n\n{"id":"ch_1","object":"charge","status":"succeeded","amount":100}) ],
	[ 'a decline', 'stripe', 'failure', qq(HTTP/1.1 402 Payment Required\n\n{"error":{"type":"card_error","code":"card_declined"}}) ],
	[ 'HTTP 200 that is a failure', 'stripe', 'failure', qq(HTTP/1.1 200 OK\n\n{"error":{"message":"has already been refunded"}}) ],
	[ 'something else', 'stripe', 'success', qq(HTTP/1.1 200 OK\n\n{"object":"list","data":[]}) ],
	[ 'NVP', 'paypal', 'success', qq(HTTP/1.1 200 OK\n\nTIMESTAMP=1&ACK=Success&VERSION=85) ],
	[ 'NVP refused', 'paypal', 'failure', qq(HTTP/1.1 200 OK\n\nACK=Failure&L_ERRORCODE0=10410&L_SEVERITYCODE0=Error) ],
	[ 'NVP, paid already', 'paypal', 'failure', qq(HTTP/1.1 200 OK\n\nACK=Failure&L_ERRORCODE0=10415) ],
	[ 'XML', 'authorizenet', 'success', qq(HTTP/1.1 200 OK\n\n<resultCode>Ok</resultCode><code>I00001</code><responseCode>1</responseCode>) ],
	[ 'XML, a duplicate', 'authorizenet', 'failure', qq(HTTP/1.1 200 OK\n\n<resultCode>Error</resultCode><code>E00039</code>) ]);

sub read_answers
{
	my ($dir) = @_;
	my (undef, @lines) = split /\n/, slurp_file("$dir/gateway_responses.tsv");

	return map { my ($file, $gateway, undef, $verdict) = split /\t/; [ $file, $gateway, $verdict, slurp_file("$dir/gateway_responses/$file") ] } @lines;
}

sub judge_answers
{
	my ($what, @judged) = @_;
	my %right = (success => 'succeeded', failure => 'failed');
	my (%count, @opposite);

	foreach my $answer (@judged)
	{
		my ($name, $gateway, $verdict, $body) = @$answer;
		my $said = $node->safe_psql('postgres', 'SELECT m.meaning FROM idem.meaning_of(' . literal($gateway) .
			  ', code_of(' . literal($gateway) . ', ' . literal($body) . ')) m');

		$count{"$verdict is $said"}++;
		push @opposite, "$name: $said" unless $said eq 'unknown' || $said eq ($right{$verdict} // '');
	}
	is("@opposite", '', scalar(@judged) . " answers of $what end as their verdict or unknown");
	note("$what: " . join ', ', map { "$count{$_} $_" } sort keys %count);
	return \%count;
}

my $count = judge_answers('this file', @answers);
is_deeply($count, { 'success is succeeded' => 3, 'success is unknown' => 1, 'failure is failed' => 2, 'failure is unknown' => 3 },
	'not all of them as unknown');
judge_answers($ENV{IDEM_GATEWAY_ANSWERS}, read_answers($ENV{IDEM_GATEWAY_ANSWERS})) if $ENV{IDEM_GATEWAY_ANSWERS};

done_testing();
