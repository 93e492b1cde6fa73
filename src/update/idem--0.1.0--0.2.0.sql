/* idem: from 0.1.0 to 0.2.0 */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION idem UPDATE TO '0.2.0'" to load this file. \quit

-- units of bitcoin, rates in millionths, and receipts of what has a key already
CREATE OR REPLACE VIEW idem.schema_names AS SELECT
    -- tables
    '(^|_)(history|histories|audits?|logs?|versions?|archived?|backup|tmp|staging|snapshots?)$' AS copy_table,
    '(^|_)events?$' AS event_table,
    '(^|_)(payment|refund|reversal|transfer|transaction|payout|withdrawal|deposit|charge|chargeback|capture|order|invoice|settlement|dispute|checkout|debit|credit|adjustment)s?$' AS payment_table,
    -- amounts: what they are, what it is instead when the name ends or begins so
    '(^|_)(amount|amt|price|total|balance|fee|cost|paid|refunded|captured|authorized|charged|'
    'debit|credit|payout|tax|vat|discount|surcharge|tip|fare|principal|proceed|revenue)(e?s)?(_|$)' AS amount,
    '(^|_)(id[0-9]*|at|on|by|type|kind|count|counts|rate|rates|percent|percentage|pct|ppm|bps|code|name|currency|status|state|'
    'number|no|date|time|lock|key|method|category|class|model|items|quantity|qty|usage|units|attempts|requests|records|pages|days|seconds|bytes|'
    'enabled|allowed|included|uuid|reason|mode|index|score|weight|priority|terms?|account|list|center|centre|group|tier|book|set)$'
    '|(^|_)version(_|$)|^(is|has|can|include|includes|max_number|num|nb|number)_' AS no_amount,
    '(^|_)(cents?|minor|micros?|millis?|nanos?|pence|fen|units|points?|satoshis?|m?sats?|wei|subunits?)(_|$)' AS unit,
    '(^|_)(currency|ccy|iso_?code|asset|asset_code)(_|$)' AS currency,
    -- statuses, but for those of an address and of another row or time
    '(^|_)(status|state)$' AS status,
    '(^|_)(address|billing|shipping|ship|country|us|home|province)_state$'
    '|^(initial|source|previous|prev|old|new|next|from|to|target)_' AS no_status,
    '^(city|town|zip|zip_?code|postal_?code|country|country_code|address_?line_?1|address1)$' AS address,
    -- keys, wherever they stand
    '^(.*_)?idem(poten(cy|ce|t))?_?(key|token|id)$|^out_?(trade|refund|request|order)_?no$|^request_?(no|num|number|uuid|key|token)$|^(uuid|guid)$' AS key,
    -- keys, but of a piece of goods where there are quantities
    '^serial_?(no|num|number)$' AS serial,
    '(^|_)(qty|quantity)$' AS quantity,
    -- keys, in a table about money
    '^(merchant_|external_|provider_|psp_|gateway_|processor_|channel_|bank_|client_)?(order|trade|refund|payment|transaction|txn|charge|capture|transfer|payout|invoice|voucher|reference|connector_transaction|inv)_?(no|num|number|sn|uuid|ref|reference|external_key)$'
    '|^(.*_)?(external|remote)_(id|key|ref|reference)$'
    '|^(.*_)?(external|client|merchant|provider|psp|gateway|processor|bank|channel|connector|stripe|paypal|adyen|braintree|alipay|wechat)_(key|ref|reference|(transaction|payment|payment_intent|refund|charge|order|payout|transfer)_?(id|key|ref|reference))$'
    '|^request_id$|^(message|msg|event)_?(id|key|uuid)$|^(.*_)?external_key$' AS money_key,
    '(^|_)(customer|account|user|owner|buyer|seller|store|shop|company|product|item|plan|wallet|subscription)_(external|remote)_' AS no_key,
    -- what the row of a payment table itself is called
    '^(receipt_?)?(number|no|identifier)$' AS own_key;
