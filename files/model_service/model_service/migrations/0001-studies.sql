-- SPDX-License-Identifier: GPL-3.0-or-later
-- One row a study, one row a dead letter, one row a reconciliation; what may be shown of them; and word when a study changes.

create table studies (
    study text primary key,  -- bucket/key@version: holds the object's key, and therefore often a patient's name
    image text not null,  -- the key's pseudonym: the public name of the study
    bucket text not null,
    key text not null,
    etag text,
    version_id text,
    announced_at timestamptz,  -- when the object store had the object
    received_at timestamptz not null,  -- when a part of the facility first heard of it
    assessed_at timestamptz,
    deidentified_at timestamptz,
    recorded_at timestamptz,
    outcome text check (outcome in ('assessed', 'rejected', 'failed')),  -- null: received, not finished
    label text check (label in ('Normal', 'Unsure', 'Pneumonia')),
    risk real check (risk between 0 and 1),
    model_version text,
    reasons text[] not null default '{}',
    processed_key text,
    heatmap_key text,
    anonymized_key text,
    bytes bigint,
    seconds real,
    stages jsonb not null default '{}',
    reannounced integer not null default 0,
    reannounced_at timestamptz,
    check ((outcome is null) = (recorded_at is null)),
    check ((outcome = 'assessed') = (label is not null and risk is not null) or outcome is null)
);
create index studies_received on studies (received_at desc, image desc);
create index studies_recorded on studies (recorded_at desc, image desc) include (outcome, label) where recorded_at is not null;
create index studies_label on studies (label, received_at desc, image desc);
create index studies_outcome on studies (outcome, received_at desc, image desc);
create index studies_unfinished on studies (received_at) where outcome is null;
create index studies_image on studies (image, received_at desc);
create index studies_key on studies (bucket, key);

create table dead_letters (
    id text primary key,  -- the study, or the event's source and id where it names none
    study text,
    reason text not null,
    code integer,  -- the function's HTTP answer; null where it gave none
    first_at timestamptz not null,
    last_at timestamptz not null,
    times integer not null default 1,
    replayed_at timestamptz,
    event jsonb not null  -- {"headers": {...}, "data": ...}: all it takes to send it again
);
create index dead_letters_last on dead_letters (last_at desc);

create table reconciliations (
    at timestamptz primary key,
    listed bigint not null,
    missing bigint not null,  -- objects older than the grace time that have no outcome
    reannounced bigint not null,
    seconds real not null
);

create view studies_shown as
select image, bucket, announced_at, received_at, assessed_at, deidentified_at, recorded_at, outcome, label, risk, model_version, reasons,
    processed_key, heatmap_key, anonymized_key, bytes, seconds, stages, reannounced
from studies;

create view dead_letters_shown as
select s.image, d.reason, d.code, d.first_at, d.last_at, d.times, d.replayed_at, s.outcome
from dead_letters d left join studies s using (study);

-- The three tables that the original demo's dashboards read.
create view images_uploaded as
select received_at as time, image as name from studies;

create view images_processed as
select recorded_at as time, image as name, model_version as model, label from studies where outcome = 'assessed';

create view images_anonymized as
select deidentified_at as time, image as name from studies where anonymized_key is not null;

create function studies_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('studies', new.image);
    return null;
end $$;
create trigger studies_inserted after insert on studies for each row execute function studies_changed();
create trigger studies_finished after update of outcome on studies for each row
when (old.outcome is distinct from new.outcome) execute function studies_changed();

grant select, insert, update on studies to risk_assessment;
grant select, insert, update on studies, dead_letters to arrivals;
grant select on reconciliations to arrivals;
grant select, insert, update on studies, dead_letters to reconciler;
grant select, insert on reconciliations to reconciler;
grant select on studies_shown, dead_letters_shown, images_uploaded, images_processed, images_anonymized, reconciliations to gallery;
grant select on dead_letters_shown, images_uploaded, images_processed, images_anonymized, reconciliations to grafana;
grant select (image, bucket, announced_at, received_at, assessed_at, deidentified_at, recorded_at, outcome, label, risk, model_version, reasons,
    bytes, seconds, stages, reannounced) on studies_shown to grafana;
