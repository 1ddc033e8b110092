-- Tables as somebody keeps them who never heard of provenir-lab: made by hand in T-SQL, documents in a schema of
-- their own, names in mixed letters, some texts in nvarchar, ids that are identities, and no unique index on the
-- log. The tests put their own schemas in the place of migration and staging.
CREATE TABLE staging.app_xml_staging (
    staging_id int IDENTITY(1,1) NOT NULL PRIMARY KEY,
    app_id int NOT NULL,
    app_XML nvarchar(max) NULL,
    loaded_at datetime2(7) NOT NULL DEFAULT (getutcdate())
);

CREATE TABLE migration.app_enums (
    enum_id smallint NOT NULL,
    type varchar(50) NOT NULL,
    value varchar(100) NOT NULL,
    description varchar(200) NULL,
    PRIMARY KEY (enum_id)
);

CREATE TABLE migration.app_campaign_cc (
    campaign_num varchar(6) NOT NULL,
    agreement_num int NULL,
    booking_on_flag bit NOT NULL DEFAULT (0),
    in_home_date date NULL,
    internet_responses_on_flag bit NOT NULL DEFAULT (0),
    letters_on_flag bit NOT NULL DEFAULT (0),
    processing_complete_flag bit NOT NULL DEFAULT (0),
    processing_expiration_date date NULL,
    solicitation_expiration_date date NULL,
    pricing_as_of_date date NULL,
    PRIMARY KEY (campaign_num)
);

CREATE TABLE migration.app_base (
    App_Id int IDENTITY(1,1) NOT NULL,
    app_source_enum smallint NULL CONSTRAINT fk_1 REFERENCES migration.app_enums (enum_id),
    app_type_enum smallint NULL CONSTRAINT fk_2 REFERENCES migration.app_enums (enum_id),
    booked_date datetime NULL,
    decision_enum smallint NULL CONSTRAINT fk_3 REFERENCES migration.app_enums (enum_id),
    decision_date datetime NULL,
    funding_date datetime NULL,
    IP_Address varchar(39) NULL,
    product_line_enum smallint NOT NULL CONSTRAINT fk_4 REFERENCES migration.app_enums (enum_id),
    receive_date datetime NOT NULL DEFAULT (getutcdate()),
    retain_until_date datetime NULL,
    sc_multran_booked_date datetime NULL,
    sub_type_enum smallint NULL CONSTRAINT fk_5 REFERENCES migration.app_enums (enum_id),
    row_version rowversion NOT NULL,
    entered_by varchar(128) NULL,
    PRIMARY KEY (App_Id)
);

CREATE TABLE migration.app_operational_cc (
    app_id int NOT NULL CONSTRAINT fk_6 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    assigned_to varchar(80) NULL,
    auth_user_issue_card_flag bit NULL,
    auth_user_spouse_flag bit NULL,
    backend_fico_grade char(1) NULL,
    backend_risk_grade char(1) NULL,
    cb_score_factor_code_1 varchar(10) NULL,
    cb_score_factor_code_2 varchar(10) NULL,
    cb_score_factor_code_3 varchar(10) NULL,
    cb_score_factor_code_4 varchar(10) NULL,
    cb_score_factor_code_5 varchar(10) NULL,
    cb_score_factor_type_1 varchar(25) NULL,
    cb_score_factor_type_2 varchar(25) NULL,
    cb_score_factor_type_3 varchar(25) NULL,
    cb_score_factor_type_4 varchar(25) NULL,
    cb_score_factor_type_5 varchar(25) NULL,
    housing_monthly_payment decimal(12,2) NULL,
    last_bureau_pulled_type varchar(5) NULL,
    last_updated_by varchar(80) NULL,
    last_updated_date datetime NULL,
    meta_url varchar(50) NULL,
    payment_protection_plan char(1) NULL,
    priority_enum smallint NULL CONSTRAINT fk_7 REFERENCES migration.app_enums (enum_id),
    process_enum smallint NULL CONSTRAINT fk_8 REFERENCES migration.app_enums (enum_id),
    regb_end_date datetime NULL,
    regb_start_date datetime NULL DEFAULT (getutcdate()),
    risk_model_score_factor_code_1 varchar(10) NULL,
    risk_model_score_factor_code_2 varchar(10) NULL,
    risk_model_score_factor_code_3 varchar(10) NULL,
    risk_model_score_factor_code_4 varchar(10) NULL,
    risk_model_score_factor_type_1 varchar(25) NULL,
    risk_model_score_factor_type_2 varchar(25) NULL,
    risk_model_score_factor_type_3 varchar(25) NULL,
    risk_model_score_factor_type_4 varchar(25) NULL,
    sc_ach_amount decimal(12,2) NULL,
    sc_bank_aba varchar(9) NULL,
    sc_bank_account_num varchar(17) NULL,
    sc_bank_account_type_enum smallint NULL CONSTRAINT fk_9 REFERENCES migration.app_enums (enum_id),
    sc_debit_funding_source_enum smallint NULL CONSTRAINT fk_10 REFERENCES migration.app_enums (enum_id),
    sc_debit_initial_deposit_amount decimal(12,2) NULL,
    sc_debit_initial_deposit_date datetime NULL,
    sc_debit_nsf_return_date datetime NULL,
    sc_debit_refund_amount decimal(12,2) NULL,
    sc_debit_refund_date datetime NULL,
    sc_funding_reference int NULL,
    signature_flag bit NOT NULL DEFAULT (0),
    ssn_match_type_enum smallint NULL CONSTRAINT fk_11 REFERENCES migration.app_enums (enum_id),
    status_enum smallint NULL CONSTRAINT fk_12 REFERENCES migration.app_enums (enum_id),
    verification_source_enum smallint NULL CONSTRAINT fk_13 REFERENCES migration.app_enums (enum_id),
    PRIMARY KEY (app_id)
);

CREATE TABLE migration.app_transactional_cc (
    app_id int NOT NULL CONSTRAINT fk_14 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    alloy_tag_list varchar(max) NULL,
    analyst_review_flag bit NULL DEFAULT (0),
    billing_tree_response_status varchar(20) NULL,
    billing_tree_token varchar(500) NULL,
    booking_paused_flag bit NULL DEFAULT (0),
    disclosures_read_flag bit NULL DEFAULT (0),
    duplicate_ssn_flag bit NULL DEFAULT (0),
    error_message varchar(255) NULL,
    ex_freeze_code varchar(4) NULL,
    fraud_review_flag bit NULL DEFAULT (0),
    iovation_blackbox varchar(max) NULL,
    locked_by_user varchar(80) NULL,
    locked_date datetime NULL,
    pending_verification_flag bit NULL DEFAULT (0),
    provenir_transaction varchar(40) NULL,
    sc_ach_sent_flag bit NULL DEFAULT (0),
    sc_debit_refund_failed_flag bit NULL DEFAULT (0),
    supervisor_review_flag bit NULL DEFAULT (0),
    PRIMARY KEY (app_id)
);

CREATE TABLE migration.app_pricing_cc (
    app_id int NOT NULL CONSTRAINT fk_15 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    account_number varchar(16) NULL,
    campaign_num varchar(6) NOT NULL CONSTRAINT fk_16 REFERENCES migration.app_campaign_cc (campaign_num),
    card_art_code varchar(2) NULL,
    card_account_setup_fee tinyint NULL,
    card_additional_card_fee tinyint NULL,
    card_annual_fee decimal(12,2) NULL,
    card_cash_advance_apr decimal(5,2) NULL,
    card_cash_advance_fee tinyint NULL,
    card_cash_advance_percent decimal(5,2) NULL,
    card_cash_advance_margin_apr decimal(5,2) NULL,
    card_foreign_percent decimal(5,2) NULL,
    card_intro_cash_advance_apr decimal(8,5) NULL,
    card_intro_purchase_apr decimal(8,5) NULL,
    card_late_payment_fee tinyint NULL,
    card_min_payment_fee tinyint NULL,
    card_min_payment_percent decimal(5,2) NULL,
    card_min_interest_charge decimal(5,2) NULL,
    card_over_limit_fee tinyint NULL,
    card_purchase_apr decimal(5,2) NULL,
    card_purchase_apr_margin decimal(5,2) NULL,
    card_returned_payment_fee tinyint NULL,
    clear_card_flag bit NULL,
    credit_line smallint NULL,
    credit_line_max smallint NULL,
    credit_line_possible smallint NULL,
    debt_to_income_ratio decimal(12,2) NULL,
    decision_model_enum smallint NULL CONSTRAINT fk_17 REFERENCES migration.app_enums (enum_id),
    marketing_segment varchar(10) NULL,
    min_payment_due decimal(12,2) NULL,
    monthly_debt decimal(12,2) NULL,
    monthly_income decimal(12,2) NULL,
    population_assignment_enum smallint NULL CONSTRAINT fk_18 REFERENCES migration.app_enums (enum_id),
    pricing_tier varchar(2) NULL,
    sc_multran_account_num varchar(16) NULL,
    segment_plan_version varchar(3) NULL,
    solicitation_num varchar(15) NULL,
    special_flag_5 char(1) NULL,
    special_flag_6 char(1) NULL,
    special_flag_7 char(1) NULL,
    special_flag_8 char(1) NULL,
    PRIMARY KEY (app_id)
);

CREATE TABLE migration.app_solicited_cc (
    app_id int NOT NULL CONSTRAINT fk_19 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    birth_date date NULL,
    city nvarchar(50) NULL,
    First_Name nvarchar(50) NULL,
    Last_Name nvarchar(50) NULL,
    middle_initial nvarchar(1) NULL,
    po_box varchar(10) NULL,
    prescreen_fico_grade char(1) NULL,
    prescreen_risk_grade char(1) NULL,
    rural_route varchar(10) NULL,
    ssn varchar(9) NULL,
    state char(2) NULL,
    street_name nvarchar(50) NULL,
    street_number varchar(10) NULL,
    suffix varchar(10) NULL,
    unit varchar(10) NULL,
    zip varchar(9) NULL,
    PRIMARY KEY (app_id)
);

CREATE TABLE migration.app_report_results_lookup (
    app_id int NOT NULL CONSTRAINT fk_20 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    name varchar(100) NOT NULL,
    value nvarchar(250) NULL,
    source_report_key varchar(20) NULL,
    rowstamp datetime NOT NULL DEFAULT (getutcdate()),
    PRIMARY KEY (app_id, name)
);

CREATE TABLE migration.app_historical_lookup (
    app_id int NOT NULL CONSTRAINT fk_21 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    name varchar(100) NOT NULL,
    source varchar(50) NULL,
    value nvarchar(250) NULL,
    rowstamp datetime NOT NULL DEFAULT (getutcdate()),
    PRIMARY KEY (app_id, name)
);

CREATE TABLE migration.app_contact_base (
    con_id int IDENTITY(1,1) NOT NULL,
    app_id int NOT NULL CONSTRAINT fk_22 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    birth_date date NOT NULL,
    cell_phone varchar(10) NULL,
    contact_type_enum smallint NOT NULL CONSTRAINT fk_23 REFERENCES migration.app_enums (enum_id),
    email varchar(100) NULL,
    esign_consent_flag bit NOT NULL DEFAULT (0),
    First_Name nvarchar(50) NOT NULL,
    fraud_type_enum smallint NULL CONSTRAINT fk_24 REFERENCES migration.app_enums (enum_id),
    home_phone varchar(10) NULL,
    Last_Name nvarchar(50) NOT NULL,
    middle_initial nvarchar(1) NULL,
    mother_maiden_name varchar(50) NULL,
    paperless_flag bit NOT NULL DEFAULT (0),
    sms_consent_flag bit NOT NULL DEFAULT (0),
    ssn varchar(9) NOT NULL,
    ssn_last_4 AS (right(ssn, 4)) PERSISTED,
    suffix varchar(10) NULL,
    PRIMARY KEY (con_id),
    UNIQUE (con_id, contact_type_enum)
);

CREATE TABLE migration.app_contact_address (
    con_id int NOT NULL CONSTRAINT fk_25 REFERENCES migration.app_contact_base (con_id) ON DELETE CASCADE,
    address_line_1 varchar(100) NULL,
    address_type_enum smallint NOT NULL CONSTRAINT fk_26 REFERENCES migration.app_enums (enum_id),
    city nvarchar(50) NULL,
    months_at_address smallint NULL,
    ownership_type_enum smallint NULL CONSTRAINT fk_27 REFERENCES migration.app_enums (enum_id),
    po_box varchar(10) NULL,
    rural_route varchar(10) NULL,
    state char(2) NULL,
    street_name nvarchar(50) NULL,
    street_number varchar(10) NULL,
    unit varchar(10) NULL,
    zip varchar(9) NULL,
    PRIMARY KEY (con_id, address_type_enum)
);

CREATE TABLE migration.app_contact_employment (
    con_id int NOT NULL CONSTRAINT fk_28 REFERENCES migration.app_contact_base (con_id) ON DELETE CASCADE,
    address_line_1 varchar(100) NULL,
    city nvarchar(50) NULL,
    business_name nvarchar(100) NULL,
    employment_type_enum smallint NOT NULL CONSTRAINT fk_29 REFERENCES migration.app_enums (enum_id),
    income_source_nontaxable_flag bit NULL,
    income_type_enum smallint NULL CONSTRAINT fk_30 REFERENCES migration.app_enums (enum_id),
    job_title nvarchar(100) NULL,
    monthly_salary decimal(12,2) NULL,
    months_at_job smallint NULL,
    other_monthly_income decimal(12,2) NULL,
    other_income_type_enum smallint NULL CONSTRAINT fk_31 REFERENCES migration.app_enums (enum_id),
    other_income_source_detail varchar(50) NULL,
    phone varchar(10) NULL,
    self_employed_flag bit NOT NULL DEFAULT (0),
    state char(2) NULL,
    street_name nvarchar(50) NULL,
    street_number varchar(10) NULL,
    unit varchar(10) NULL,
    zip varchar(9) NULL,
    PRIMARY KEY (con_id, employment_type_enum)
);

CREATE TABLE migration.scores (
    app_id int NOT NULL CONSTRAINT fk_32 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    score_identifier varchar(50) NOT NULL,
    score int NULL,
    PRIMARY KEY (app_id, score_identifier)
);

CREATE TABLE migration.indicators (
    app_id int NOT NULL CONSTRAINT fk_33 REFERENCES migration.app_base (app_id) ON DELETE CASCADE,
    indicator varchar(50) NOT NULL,
    value nvarchar(10) NOT NULL,
    PRIMARY KEY (app_id, indicator)
);

CREATE TABLE migration.processing_log (
    log_id int IDENTITY(1,1) NOT NULL,
    app_id int NOT NULL,
    status varchar(20) NOT NULL,
    failure_reason varchar(500) NULL,
    processing_time datetime2(7) NOT NULL DEFAULT (getutcdate()),
    session_id varchar(50) NULL,
    app_id_start int NULL,
    app_id_end int NULL,
    PRIMARY KEY (log_id)
);

CREATE INDEX ix_processing_log_app_id ON migration.processing_log (app_id);
