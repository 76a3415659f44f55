/** The alerts by what they tell of: the test of each kind has to see all of its own fire. */
export const ALERTS = {
  service: [
    "LeadViewProjectorGone",
    "LeadViewApiGone",
    "LeadViewTargetDown",
    "LeadViewNoOwner",
    "LeadViewNotReady",
    "LeadViewOtherFoldRules",
    "LeadViewStale",
    "LeadViewDeadLetters",
    "LeadViewDeadLettersWait",
    "LeadViewWebhooks",
    "LeadViewKeyExpires",
    "LeadViewWalGrows",
    "LeadViewErrors",
    "LeadViewSlow",
  ],
  relays: ["LeadViewUndelivered", "LeadViewSetAside", "LeadViewOutboxStuck"],
  certificates: ["LeadViewCertificateExpires"],
} as const satisfies Readonly<Record<string, readonly string[]>>;
