
-- ---------------------------------------------------------------------------
-- money: currencies, the codes and minor units of ISO 4217
-- ---------------------------------------------------------------------------

-- The code is the key.  The numeric code is not: it may be used again (532).
-- minor_units NULL: ISO names none (gold, drawing rights, test codes).
CREATE TABLE idem.currency (
    code pg_catalog.text COLLATE pg_catalog."C"
        CONSTRAINT currency_pkey PRIMARY KEY
        CONSTRAINT currency_code_check CHECK (code ~ '^[A-Z][A-Z0-9]{2,11}$'),
    numeric_code pg_catalog.text COLLATE pg_catalog."C"
        CONSTRAINT currency_numeric_code_check CHECK (numeric_code ~ '^[0-9]{3}$'),
    minor_units pg_catalog.int2
        CONSTRAINT currency_minor_units_check CHECK (minor_units BETWEEN 0 AND 6),
    name pg_catalog.text NOT NULL,
    withdrawn pg_catalog.bool NOT NULL DEFAULT false,
    builtin pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE idem.currency IS
    'currencies and their minor units: the codes of ISO 4217, and those that the user adds (builtin = false)';
COMMENT ON COLUMN idem.currency.code IS 'three letters of ISO 4217, upper case; own codes 3 to 12 letters and digits';
COMMENT ON COLUMN idem.currency.numeric_code IS 'three digits of ISO 4217, not unique over time';
COMMENT ON COLUMN idem.currency.minor_units IS 'decimals of the minor unit; NULL: there is none';
COMMENT ON COLUMN idem.currency.name IS 'name in ISO 4217';
COMMENT ON COLUMN idem.currency.withdrawn IS 'no longer in ISO 4217; old amounts are still read';
COMMENT ON COLUMN idem.currency.builtin IS 'shipped with idem, not dumped';

REVOKE ALL ON TABLE idem.currency FROM PUBLIC;
GRANT SELECT ON TABLE idem.currency TO PUBLIC;

-- Shipped rows come with CREATE EXTENSION, not with the dump.
SELECT pg_catalog.pg_extension_config_dump('idem.currency', 'WHERE NOT builtin');

-- ISO 4217 list one of 2024-06-25 with the amendments up to 2026-01
INSERT INTO idem.currency (code, numeric_code, minor_units, name, withdrawn, builtin) VALUES
    ('AED', '784', 2, 'UAE Dirham', false, true),
    ('AFN', '971', 2, 'Afghani', false, true),
    ('ALL', '008', 2, 'Lek', false, true),
    ('AMD', '051', 2, 'Armenian Dram', false, true),
    ('ANG', '532', 2, 'Netherlands Antillean Guilder', true, true),
    ('AOA', '973', 2, 'Kwanza', false, true),
    ('ARS', '032', 2, 'Argentine Peso', false, true),
    ('AUD', '036', 2, 'Australian Dollar', false, true),
    ('AWG', '533', 2, 'Aruban Florin', false, true),
    ('AZN', '944', 2, 'Azerbaijan Manat', false, true),
    ('BAM', '977', 2, 'Convertible Mark', false, true),
    ('BBD', '052', 2, 'Barbados Dollar', false, true),
    ('BDT', '050', 2, 'Taka', false, true),
    ('BGN', '975', 2, 'Bulgarian Lev', true, true),
    ('BHD', '048', 3, 'Bahraini Dinar', false, true),
    ('BIF', '108', 0, 'Burundi Franc', false, true),
    ('BMD', '060', 2, 'Bermudian Dollar', false, true),
    ('BND', '096', 2, 'Brunei Dollar', false, true),
    ('BOB', '068', 2, 'Boliviano', false, true),
    ('BOV', '984', 2, 'Mvdol', false, true),
    ('BRL', '986', 2, 'Brazilian Real', false, true),
    ('BSD', '044', 2, 'Bahamian Dollar', false, true),
    ('BTN', '064', 2, 'Ngultrum', false, true),
    ('BWP', '072', 2, 'Pula', false, true),
    ('BYN', '933', 2, 'Belarusian Ruble', false, true),
    ('BZD', '084', 2, 'Belize Dollar', false, true),
    ('CAD', '124', 2, 'Canadian Dollar', false, true),
    ('CDF', '976', 2, 'Congolese Franc', false, true),
    ('CHE', '947', 2, 'WIR Euro', false, true),
    ('CHF', '756', 2, 'Swiss Franc', false, true),
    ('CHW', '948', 2, 'WIR Franc', false, true),
    ('CLF', '990', 4, 'Unidad de Fomento', false, true),
    ('CLP', '152', 0, 'Chilean Peso', false, true),
    ('CNY', '156', 2, 'Yuan Renminbi', false, true),
    ('COP', '170', 2, 'Colombian Peso', false, true),
    ('COU', '970', 2, 'Unidad de Valor Real', false, true),
    ('CRC', '188', 2, 'Costa Rican Colon', false, true),
    ('CUC', '931', 2, 'Peso Convertible', true, true),
    ('CUP', '192', 2, 'Cuban Peso', false, true),
    ('CVE', '132', 2, 'Cabo Verde Escudo', false, true),
    ('CZK', '203', 2, 'Czech Koruna', false, true),
    ('DJF', '262', 0, 'Djibouti Franc', false, true),
    ('DKK', '208', 2, 'Danish Krone', false, true),
    ('DOP', '214', 2, 'Dominican Peso', false, true),
    ('DZD', '012', 2, 'Algerian Dinar', false, true),
    ('EGP', '818', 2, 'Egyptian Pound', false, true),
    ('ERN', '232', 2, 'Nakfa', false, true),
    ('ETB', '230', 2, 'Ethiopian Birr', false, true),
    ('EUR', '978', 2, 'Euro', false, true),
    ('FJD', '242', 2, 'Fiji Dollar', false, true),
    ('FKP', '238', 2, 'Falkland Islands Pound', false, true),
    ('GBP', '826', 2, 'Pound Sterling', false, true),
    ('GEL', '981', 2, 'Lari', false, true),
    ('GHS', '936', 2, 'Ghana Cedi', false, true),
    ('GIP', '292', 2, 'Gibraltar Pound', false, true),
    ('GMD', '270', 2, 'Dalasi', false, true),
    ('GNF', '324', 0, 'Guinean Franc', false, true),
    ('GTQ', '320', 2, 'Quetzal', false, true),
    ('GYD', '328', 2, 'Guyana Dollar', false, true),
    ('HKD', '344', 2, 'Hong Kong Dollar', false, true),
    ('HNL', '340', 2, 'Lempira', false, true),
    ('HTG', '332', 2, 'Gourde', false, true),
    ('HUF', '348', 2, 'Forint', false, true),
    ('IDR', '360', 2, 'Rupiah', false, true),
    ('ILS', '376', 2, 'New Israeli Sheqel', false, true),
    ('INR', '356', 2, 'Indian Rupee', false, true),
    ('IQD', '368', 3, 'Iraqi Dinar', false, true),
    ('IRR', '364', 2, 'Iranian Rial', false, true),
    ('ISK', '352', 0, 'Iceland Krona', false, true),
    ('JMD', '388', 2, 'Jamaican Dollar', false, true),
    ('JOD', '400', 3, 'Jordanian Dinar', false, true),
    ('JPY', '392', 0, 'Yen', false, true),
    ('KES', '404', 2, 'Kenyan Shilling', false, true),
    ('KGS', '417', 2, 'Som', false, true),
    ('KHR', '116', 2, 'Riel', false, true),
    ('KMF', '174', 0, 'Comorian Franc', false, true),
    ('KPW', '408', 2, 'North Korean Won', false, true),
    ('KRW', '410', 0, 'Won', false, true),
    ('KWD', '414', 3, 'Kuwaiti Dinar', false, true),
    ('KYD', '136', 2, 'Cayman Islands Dollar', false, true),
    ('KZT', '398', 2, 'Tenge', false, true),
    ('LAK', '418', 2, 'Lao Kip', false, true),
    ('LBP', '422', 2, 'Lebanese Pound', false, true),
    ('LKR', '144', 2, 'Sri Lanka Rupee', false, true),
    ('LRD', '430', 2, 'Liberian Dollar', false, true),
    ('LSL', '426', 2, 'Loti', false, true),
    ('LYD', '434', 3, 'Libyan Dinar', false, true),
    ('MAD', '504', 2, 'Moroccan Dirham', false, true),
    ('MDL', '498', 2, 'Moldovan Leu', false, true),
    ('MGA', '969', 2, 'Malagasy Ariary', false, true),
    ('MKD', '807', 2, 'Denar', false, true),
    ('MMK', '104', 2, 'Kyat', false, true),
    ('MNT', '496', 2, 'Tugrik', false, true),
    ('MOP', '446', 2, 'Pataca', false, true),
    ('MRU', '929', 2, 'Ouguiya', false, true),
    ('MUR', '480', 2, 'Mauritius Rupee', false, true),
    ('MVR', '462', 2, 'Rufiyaa', false, true),
    ('MWK', '454', 2, 'Malawi Kwacha', false, true),
    ('MXN', '484', 2, 'Mexican Peso', false, true),
    ('MXV', '979', 2, 'Mexican Unidad de Inversion (UDI)', false, true),
    ('MYR', '458', 2, 'Malaysian Ringgit', false, true),
    ('MZN', '943', 2, 'Mozambique Metical', false, true),
    ('NAD', '516', 2, 'Namibia Dollar', false, true),
    ('NGN', '566', 2, 'Naira', false, true),
    ('NIO', '558', 2, 'Cordoba Oro', false, true),
    ('NOK', '578', 2, 'Norwegian Krone', false, true),
    ('NPR', '524', 2, 'Nepalese Rupee', false, true),
    ('NZD', '554', 2, 'New Zealand Dollar', false, true),
    ('OMR', '512', 3, 'Rial Omani', false, true),
    ('PAB', '590', 2, 'Balboa', false, true),
    ('PEN', '604', 2, 'Sol', false, true),
    ('PGK', '598', 2, 'Kina', false, true),
    ('PHP', '608', 2, 'Philippine Peso', false, true),
    ('PKR', '586', 2, 'Pakistan Rupee', false, true),
    ('PLN', '985', 2, 'Zloty', false, true),
    ('PYG', '600', 0, 'Guarani', false, true),
    ('QAR', '634', 2, 'Qatari Rial', false, true),
    ('RON', '946', 2, 'Romanian Leu', false, true),
    ('RSD', '941', 2, 'Serbian Dinar', false, true),
    ('RUB', '643', 2, 'Russian Ruble', false, true),
    ('RWF', '646', 0, 'Rwanda Franc', false, true),
    ('SAR', '682', 2, 'Saudi Riyal', false, true),
    ('SBD', '090', 2, 'Solomon Islands Dollar', false, true),
    ('SCR', '690', 2, 'Seychelles Rupee', false, true),
    ('SDG', '938', 2, 'Sudanese Pound', false, true),
    ('SEK', '752', 2, 'Swedish Krona', false, true),
    ('SGD', '702', 2, 'Singapore Dollar', false, true),
    ('SHP', '654', 2, 'Saint Helena Pound', false, true),
    ('SLE', '925', 2, 'Leone', false, true),
    ('SOS', '706', 2, 'Somali Shilling', false, true),
    ('SRD', '968', 2, 'Surinam Dollar', false, true),
    ('SSP', '728', 2, 'South Sudanese Pound', false, true),
    ('STN', '930', 2, 'Dobra', false, true),
    ('SVC', '222', 2, 'El Salvador Colon', false, true),
    ('SYP', '760', 2, 'Syrian Pound', false, true),
    ('SZL', '748', 2, 'Lilangeni', false, true),
    ('THB', '764', 2, 'Baht', false, true),
    ('TJS', '972', 2, 'Somoni', false, true),
    ('TMT', '934', 2, 'Turkmenistan New Manat', false, true),
    ('TND', '788', 3, 'Tunisian Dinar', false, true),
    ('TOP', '776', 2, 'Pa''anga', false, true),
    ('TRY', '949', 2, 'Turkish Lira', false, true),
    ('TTD', '780', 2, 'Trinidad and Tobago Dollar', false, true),
    ('TWD', '901', 2, 'New Taiwan Dollar', false, true),
    ('TZS', '834', 2, 'Tanzanian Shilling', false, true),
    ('UAH', '980', 2, 'Hryvnia', false, true),
    ('UGX', '800', 0, 'Uganda Shilling', false, true),
    ('USD', '840', 2, 'US Dollar', false, true),
    ('USN', '997', 2, 'US Dollar (Next day)', false, true),
    ('UYI', '940', 0, 'Uruguay Peso en Unidades Indexadas (UI)', false, true),
    ('UYU', '858', 2, 'Peso Uruguayo', false, true),
    ('UYW', '927', 4, 'Unidad Previsional', false, true),
    ('UZS', '860', 2, 'Uzbekistan Sum', false, true),
    ('VED', '926', 2, 'Bolivar Soberano', false, true),
    ('VES', '928', 2, 'Bolivar Soberano', false, true),
    ('VND', '704', 0, 'Dong', false, true),
    ('VUV', '548', 0, 'Vatu', false, true),
    ('WST', '882', 2, 'Tala', false, true),
    ('XAD', '396', 2, 'Arab Accounting Dinar', false, true),
    ('XAF', '950', 0, 'CFA Franc BEAC', false, true),
    ('XAG', '961', NULL, 'Silver', false, true),
    ('XAU', '959', NULL, 'Gold', false, true),
    ('XBA', '955', NULL, 'Bond Markets Unit European Composite Unit (EURCO)', false, true),
    ('XBB', '956', NULL, 'Bond Markets Unit European Monetary Unit (E.M.U.-6)', false, true),
    ('XBC', '957', NULL, 'Bond Markets Unit European Unit of Account 9 (E.U.A.-9)', false, true),
    ('XBD', '958', NULL, 'Bond Markets Unit European Unit of Account 17 (E.U.A.-17)', false, true),
    ('XCD', '951', 2, 'East Caribbean Dollar', false, true),
    ('XCG', '532', 2, 'Caribbean Guilder', false, true),
    ('XDR', '960', NULL, 'SDR (Special Drawing Right)', false, true),
    ('XOF', '952', 0, 'CFA Franc BCEAO', false, true),
    ('XPD', '964', NULL, 'Palladium', false, true),
    ('XPF', '953', 0, 'CFP Franc', false, true),
    ('XPT', '962', NULL, 'Platinum', false, true),
    ('XSU', '994', NULL, 'Sucre', false, true),
    ('XTS', '963', NULL, 'Codes specifically reserved for testing purposes', false, true),
    ('XUA', '965', NULL, 'ADB Unit of Account', false, true),
    ('XXX', '999', NULL, 'The codes assigned for transactions where no currency is involved', false, true),
    ('YER', '886', 2, 'Yemeni Rial', false, true),
    ('ZAR', '710', 2, 'Rand', false, true),
    ('ZMW', '967', 2, 'Zambian Kwacha', false, true),
    ('ZWG', '924', 2, 'Zimbabwe Gold', false, true);

-- After a restore a changed shipped row would have its old values again.
-- An upgrade script that changes one disables these triggers meanwhile.
CREATE FUNCTION idem.keep_currency() RETURNS trigger
    VOLATILE PARALLEL UNSAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_keep_currency';
COMMENT ON FUNCTION idem.keep_currency() IS
    'trigger of idem.currency: refuses a change of a shipped row with 23I08';
REVOKE ALL ON FUNCTION idem.keep_currency() FROM PUBLIC;

CREATE TRIGGER currency_insert AFTER INSERT ON idem.currency FOR EACH ROW
    WHEN (NEW.builtin) EXECUTE FUNCTION idem.keep_currency();
CREATE TRIGGER currency_update AFTER UPDATE ON idem.currency FOR EACH ROW
    WHEN (OLD.builtin OR NEW.builtin) EXECUTE FUNCTION idem.keep_currency();
CREATE TRIGGER currency_delete AFTER DELETE ON idem.currency FOR EACH ROW
    WHEN (OLD.builtin) EXECUTE FUNCTION idem.keep_currency();
CREATE TRIGGER currency_truncate AFTER TRUNCATE ON idem.currency FOR EACH STATEMENT
    EXECUTE FUNCTION idem.keep_currency();
ALTER TABLE idem.currency ENABLE ALWAYS TRIGGER currency_insert;
ALTER TABLE idem.currency ENABLE ALWAYS TRIGGER currency_update;
ALTER TABLE idem.currency ENABLE ALWAYS TRIGGER currency_delete;
ALTER TABLE idem.currency ENABLE ALWAYS TRIGGER currency_truncate;
COMMENT ON TRIGGER currency_insert ON idem.currency IS 'added rows are the user''s';
COMMENT ON TRIGGER currency_update ON idem.currency IS 'shipped rows stay as they are';
COMMENT ON TRIGGER currency_delete ON idem.currency IS 'shipped rows stay';
COMMENT ON TRIGGER currency_truncate ON idem.currency IS 'shipped rows stay';

CREATE VIEW idem.currency_declarations AS
SELECT 10 AS rank, c.code::text COLLATE "C" AS name,
       pg_catalog.format('INSERT INTO idem.currency (code, numeric_code, minor_units, name, withdrawn, builtin) VALUES (%L, %L, %L, %L, %L, false) ON CONFLICT DO NOTHING;',
                         c.code, c.numeric_code, c.minor_units, c.name, c.withdrawn) AS statement
FROM idem.currency c
WHERE NOT c.builtin;
COMMENT ON VIEW idem.currency_declarations IS 'currencies that were added, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.currency_declarations FROM PUBLIC;
