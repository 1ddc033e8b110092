-- A schema for a lab: its login owns it, and `provenir-lab init` makes the tables in it. The login has no
-- rights anywhere else. Run once, in the lab's database, as someone who may create roles and schemas.
CREATE ROLE provenir_lab LOGIN;  -- its password: \password provenir_lab  in psql
CREATE SCHEMA lab AUTHORIZATION provenir_lab;
