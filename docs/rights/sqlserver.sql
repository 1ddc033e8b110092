-- What a processor's login needs on tables that exist, and nothing more. Run in their database by an owner of
-- the tables (the login itself: by someone who may create logins).
-- Put in your own names: the login, the schema migration, the tables of your contract.
-- Windows authentication: CREATE LOGIN [DOMAIN\name] FROM WINDOWS; and in what follows that name in place of
-- provenir_processor. Azure SQL: CREATE USER [name] FROM EXTERNAL PROVIDER; in place of login and user.
CREATE LOGIN provenir_processor WITH PASSWORD = 'put a password here';
CREATE USER provenir_processor FOR LOGIN provenir_processor;

-- documents and lookups are read
GRANT SELECT ON migration.app_xml TO provenir_processor;
GRANT SELECT ON migration.app_enums TO provenir_processor;
GRANT SELECT ON migration.app_campaign_cc TO provenir_processor;

-- rows and log rows are added, counted and looked up, never changed or deleted
GRANT SELECT, INSERT ON migration.app_base TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_operational_cc TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_transactional_cc TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_pricing_cc TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_solicited_cc TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_report_results_lookup TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_historical_lookup TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_contact_base TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_contact_address TO provenir_processor;
GRANT SELECT, INSERT ON migration.app_contact_employment TO provenir_processor;
GRANT SELECT, INSERT ON migration.scores TO provenir_processor;
GRANT SELECT, INSERT ON migration.indicators TO provenir_processor;
GRANT SELECT, INSERT ON migration.processing_log TO provenir_processor;

-- Only where app_id and con_id are identity columns: SQL Server lets nobody write ids of his own there
-- (SET IDENTITY_INSERT) without ALTER on the table. Leave both lines out where they are plain columns.
GRANT ALTER ON migration.app_base TO provenir_processor;
GRANT ALTER ON migration.app_contact_base TO provenir_processor;

-- only for `process --retry-failed`, which takes the failed documents out of the log:
-- GRANT DELETE ON migration.processing_log TO provenir_processor;
