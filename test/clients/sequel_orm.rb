# sequel_orm.rb - Sequel, which writes values into the statement
require 'sequel'
require_relative 'steps'

DB = Sequel.connect(adapter: 'postgres', host: ENV['PGHOST'], port: ENV['PGPORT'], user: 'postgres', database: 'postgres')
class Payment < Sequel::Model(:payment)
  unrestrict_primary_key
end

row = { currency: 'EUR', status: 'created' }
step('insert a BigDecimal') { Payment.create(**row, amount: BigDecimal('12.34')); nil }
step('insert a whole BigDecimal') { Payment.create(**row, amount: BigDecimal('100')); nil }
step('insert an integer') { Payment.create(**row, amount: 5); nil }
step('save') { p = Payment[1]; p.channel_no = 'C1'; p.save; nil }
step('save again') { p = Payment[1]; p.channel_no = 'C2'; p.save; nil }
step('save changes') { p = Payment[1]; p.channel_no = 'C3'; p.save_changes; nil }
step('update the state') { DB[:payment].where(id: 1).update(status: 'paying'); nil }
step('update the state again') { DB[:payment].where(id: 1).update(status: 'paying'); nil }
step('decrement') { DB[:account].where(id: 1).update(balance: Sequel[:balance] - BigDecimal('1.50')); nil }
step('decrement by a whole number, as text') { DB[:account].where(id: 1).update(balance: Sequel[:balance] - '1'); nil }
step('decrement by a whole number') { DB[:account].where(id: 1).update(balance: Sequel[:balance] - 1); nil }
step('upsert') { DB[:payment].insert_conflict(target: :id, update: { channel_no: Sequel[:excluded][:channel_no] }).insert(**row, id: 1, amount: BigDecimal('12.34'), channel_no: 'C4'); nil }
step('where') { DB[:payment].where(Sequel[:amount] > BigDecimal('10')).count }
step('sum') { DB[:payment].sum(:amount) }
step('read') { Payment[1].amount }
