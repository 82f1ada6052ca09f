package main

// skeleton is a definition to begin from. Every name in it is made up, and stands for
// the one that the sender uses.
const skeleton = `# TITLE: how its webhooks are signed, and what they say of a connection.
#
# | event | facets | event time | delivery id |
# |---|---|---|---|
# | sync.finished, success | sync succeeded, connectivity online, auth ok, error none | occurred_at | id |
# | sync.finished, failure | sync failed | occurred_at | id |
# | login.needed | auth required | occurred_at | id |
# | anything else | nothing: it stands on the timeline | occurred_at | id |
#
# How it is made right, with docs/PROVIDERS.md for all the keys:
#
#     tidemark providers learn --request captured.txt --secret file:NAME.secret   what the signature is
#     tidemark providers test ./NAME.yaml                                         what is read out of NAME.txtar
#     tidemark providers test ./NAME.yaml --update                                that is right: write it down
name: NAME
title: TITLE
assumed: true               # until every name below was seen in the sender's documentation or in a request of it
notes: |
  Where the facts come from: which page, read when. What is assumed.
#on_failure: What the sender does when a delivery fails. Does it try again, how long, after a 4xx too?

signature:
  scheme: hmac              # or standard-webhooks, token, basic, none: learn prints this part
  header: HEADER
  algorithm: sha256
  encoding: hex
  content: "{body}"         # with a time that is signed too: "{timestamp}.{body}", and timestamp: {header: X-…}

# Each is a list of places, of which the first that holds something counts.
mapping:
  id: [body.id]             # of the delivery, the same when it is sent again. Never a hash of the body. None: leave it out
  type: [body.type]
  occurred_at: [body.occurred_at] # when it happened, not when it was sent. None: leave it out, and receipt counts
  connection: [body.connection_id]
  data: [body.data]

  # The first rule that matches counts. What no rule matches is kept, and sets nothing.
  rules:
    - name: sync finished, success
      type: sync.finished
      when: data.status == "success"
      set: {sync: succeeded, connectivity: online, auth: ok, error: none}

    - name: sync finished, failure
      type: sync.finished
      set: {sync: failed}
      code: data.error.code
      message: data.error.message

    - name: login needed
      type: login.needed
      set: {auth: required}
      reason: data.reason
`

// skeletonSamples are its first payloads.
const skeletonSamples = `Payloads of TITLE, made up: put in those of its documentation, or of its first webhooks.
-- sync-finished.json --
{"id":"evt_1","type":"sync.finished","occurred_at":"2026-03-01T12:00:00Z","connection_id":"conn_42","data":{"status":"success"}}
-- sync-failed.json --
{"id":"evt_2","type":"sync.finished","occurred_at":"2026-03-01T13:00:00Z","connection_id":"conn_42","data":{"status":"failure","error":{"code":"RATE_LIMIT","message":"slow down"}}}
-- login-needed.json --
{"id":"evt_3","type":"login.needed","occurred_at":"2026-03-01T14:00:00Z","connection_id":"conn_42","data":{"reason":"password changed"}}
-- another.json --
{"id":"evt_4","type":"plan.changed","occurred_at":"2026-03-01T15:00:00Z","connection_id":"conn_42","data":{}}
`
