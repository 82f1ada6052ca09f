// Signs with the providers' own libraries. Reads {"library","secret","id","at","body"} a line
// from standard input, and answers each with the headers that the library makes.
import { createInterface } from "node:readline";
import { sign } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";

const at = (r) => new Date(r.at * 1000);

const signers = {
  svix: (r) => ({
    "svix-id": r.id,
    "svix-timestamp": String(r.at),
    "svix-signature": new SvixWebhook(r.secret).sign(r.id, at(r), r.body),
  }),
  standardwebhooks: (r) => ({
    "webhook-id": r.id,
    "webhook-timestamp": String(r.at),
    "webhook-signature": new StandardWebhook(r.secret).sign(r.id, at(r), r.body),
  }),
  stripe: (r) => ({
    "stripe-signature": Stripe.webhooks.generateTestHeaderString({ payload: r.body, secret: r.secret, timestamp: r.at }),
  }),
  "@octokit/webhooks-methods": async (r) => ({
    "x-hub-signature-256": await sign(r.secret, r.body),
    "x-github-delivery": r.id,
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(JSON.stringify(await signers[request.library](request)));
}
