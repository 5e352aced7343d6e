-- The project's tables as version 0.1 made them, with a study that is half done.
CREATE TABLE akd_studies (
    name VARCHAR(255) NOT NULL,
    identity JSON NOT NULL,
    settings JSON NOT NULL,
    budget FLOAT NOT NULL,
    seconds JSON NOT NULL,
    created FLOAT NOT NULL,
    state VARCHAR(32) NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE akd_leases (
    study VARCHAR(255) NOT NULL,
    owner VARCHAR(64) NOT NULL,
    host VARCHAR(255) NOT NULL,
    pid INTEGER NOT NULL,
    heartbeat FLOAT NOT NULL,
    PRIMARY KEY (study)
);
CREATE TABLE akd_jobs (
    study VARCHAR(255) NOT NULL,
    "key" VARCHAR(64) NOT NULL,
    result JSON NOT NULL,
    finished FLOAT NOT NULL,
    PRIMARY KEY (study, "key")
);
CREATE TABLE akd_offers (
    study VARCHAR(255) NOT NULL,
    setup JSON NOT NULL,
    PRIMARY KEY (study)
);
CREATE TABLE akd_workers (
    id VARCHAR(32) NOT NULL,
    study VARCHAR(255) NOT NULL,
    host VARCHAR(255) NOT NULL,
    pid INTEGER NOT NULL,
    beats INTEGER NOT NULL,
    ready BOOLEAN NOT NULL,
    stopping BOOLEAN NOT NULL,
    posted INTEGER NOT NULL,
    job JSON,
    answered INTEGER NOT NULL,
    answer JSON,
    PRIMARY KEY (id)
);
CREATE INDEX ix_akd_workers_study ON akd_workers (study);
CREATE TABLE akd_files (
    owner VARCHAR(275) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    part INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (owner, sha256, part)
);
INSERT INTO akd_studies VALUES (
    'cam', '{"data": "a1", "seed": 0}', '{"task": "digits", "searched": 180.0}', 180.0, '{"search": 3.5}', 1.0, 'open'
);
INSERT INTO akd_leases VALUES ('cam', 'gone', 'another-machine', 1, 0.0);
INSERT INTO akd_jobs VALUES ('cam', 'k1', '{"accuracy": 0.75, "epochs": 9}', 1.0);
