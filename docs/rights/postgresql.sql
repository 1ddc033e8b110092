-- What a processor's login needs on tables that exist, and nothing more. Run as their owner (and the role
-- and its password as someone who may create roles).
-- Put in your own names: the login, the schema "migration", the tables of your contract.
CREATE ROLE provenir_processor LOGIN;  -- its password: \password provenir_processor  in psql

GRANT USAGE ON SCHEMA migration TO provenir_processor;

-- documents and lookups are read
GRANT SELECT ON
    migration.app_xml,
    migration.app_enums,
    migration.app_campaign_cc
TO provenir_processor;

-- rows and log rows are added, counted and looked up, never changed or deleted
GRANT SELECT, INSERT ON
    migration.app_base,
    migration.app_operational_cc,
    migration.app_transactional_cc,
    migration.app_pricing_cc,
    migration.app_solicited_cc,
    migration.app_report_results_lookup,
    migration.app_historical_lookup,
    migration.app_contact_base,
    migration.app_contact_address,
    migration.app_contact_employment,
    migration.scores,
    migration.indicators,
    migration.processing_log
TO provenir_processor;

-- only where log_id is serial (an identity column needs no right of its own):
-- GRANT USAGE ON SEQUENCE migration.processing_log_log_id_seq TO provenir_processor;

-- only for `process --retry-failed`, which takes the failed documents out of the log:
-- GRANT DELETE ON migration.processing_log TO provenir_processor;
