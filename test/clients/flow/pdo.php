<?php
// PDO: PGSQL_ATTR_DISABLE_PREPARES behind a pooler in transaction mode
$key = $argv[1];
$amount = '{"amount":88.00}';
$db = new PDO(sprintf('pgsql:host=%s;port=%s;dbname=postgres', getenv('PGHOST'), getenv('PGPORT')), 'postgres', '',
	[PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::PGSQL_ATTR_DISABLE_PREPARES => (bool) getenv('POOLED')]);
$ask = function (string $sql, ...$values) use ($db) {
	$statement = $db->prepare($sql);
	$statement->execute($values);
	return $statement->columnCount() > 0 ? $statement->fetch(PDO::FETCH_ASSOC) : null;
};

$db->beginTransaction();
if ($ask("SELECT granted FROM idem.claim('debit', ?, ?)", $key, $amount)['granted'])
	echo "granted\n";
$ask('INSERT INTO debit VALUES (?, ?)', $key, '88.00');
$db->commit();
if ($ask("SELECT settled FROM idem.claim('debit', ?, ?)", $key, $amount)['settled'])
	echo "settled\n";
try {
	$ask('INSERT INTO debit VALUES (?, ?)', $key, '88.00');
} catch (PDOException $e) {
	echo 'refused ', $e->getCode(), "\n";
}
$token = $ask("SELECT token FROM idem.reserve('payout', ?, ?)", $key, $amount)['token'];
if ($ask("CALL idem.dispatch('payout', ?, ?)", $key, $token)['granted'])
	echo "dispatched\n";
echo 'amount ', $ask('SELECT sum(amount) FROM debit WHERE message = ?', $key)['sum'], "\n";
