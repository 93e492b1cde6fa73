# Sequel: values are written into the statement
require 'sequel'

DB = Sequel.connect(adapter: 'postgres', host: ENV['PGHOST'], port: ENV['PGPORT'], user: 'postgres', database: 'postgres')
KEY = ARGV[0]
AMOUNT = '{"amount":88.00}'

def ask(sql, *values)
  DB.fetch(sql, *values).first
end

DB.transaction do
  puts 'granted' if ask("SELECT granted FROM idem.claim('debit', ?, ?)", KEY, AMOUNT)[:granted]
  DB[:debit].insert(message: KEY, amount: BigDecimal('88.00'))
end
puts 'settled' if ask("SELECT settled FROM idem.claim('debit', ?, ?)", KEY, AMOUNT)[:settled]
begin
  DB[:debit].insert(message: KEY, amount: BigDecimal('88.00'))
rescue Sequel::DatabaseError => e
  puts "refused #{e.wrapped_exception.result.error_field(PG::PG_DIAG_SQLSTATE)}"
end
token = ask("SELECT token FROM idem.reserve('payout', ?, ?)", KEY, AMOUNT)[:token]
puts 'dispatched' if ask("CALL idem.dispatch('payout', ?, ?)", KEY, token)[:granted]
puts "amount #{DB[:debit].where(message: KEY).get(:amount)}"
