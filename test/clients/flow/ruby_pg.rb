# pg
require 'pg'

C = PG.connect
KEY = ARGV[0]
AMOUNT = '{"amount":88.00}'

def ask(sql, *values)
  C.exec_params(sql, values).first
end

C.transaction do
  puts 'granted' if ask("SELECT granted FROM idem.claim('debit', $1, $2)", KEY, AMOUNT)['granted'] == 't'
  ask('INSERT INTO debit VALUES ($1, $2)', KEY, '88.00')
end
puts 'settled' if ask("SELECT settled FROM idem.claim('debit', $1, $2)", KEY, AMOUNT)['settled'] == 't'
begin
  ask('INSERT INTO debit VALUES ($1, $2)', KEY, '88.00')
rescue PG::Error => e
  puts "refused #{e.result.error_field(PG::PG_DIAG_SQLSTATE)}"
end
token = ask("SELECT token FROM idem.reserve('payout', $1, $2)", KEY, AMOUNT)['token']
puts 'dispatched' if ask("CALL idem.dispatch('payout', $1, $2)", KEY, token)['granted'] == 't'
puts "amount #{ask('SELECT sum(amount) FROM debit WHERE message = $1', KEY)['sum']}"
