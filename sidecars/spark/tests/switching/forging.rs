//! What a taken-over agent, or a taken-over gate, may try.

use http::StatusCode;
use platform_types::egress::{Outcome, Verdict};
use platform_types::switch::{OperatorSwitch, SwitchDecision, SwitchRequest};
use platform_types::{ModelId, ProfileName};
use serde_json::{Value, json};

use crate::device::Device;
use crate::refused;
use crate::rig::{ALPHA, BETA, Rig};

#[tokio::test]
async fn nothing_is_switched_without_a_decision_that_counts() {
    let mut rig = Rig::start().await;
    let asked = rig.ask(BETA).await.unwrap();
    let card = rig.card(&asked.id).await;
    let (known, stranger) = (Device::new(1), Device::new(2));
    let allow = known.decision("ops", &card, Verdict::Allow);
    let SwitchDecision::Device { digest, signature, .. } = allow.clone() else { panic!("a device's") };

    // A stranger's key; a known id with a stranger's key; another profile; another verdict, digest or id under the signature.
    let forged = |profile: &str, device: &Device, verdict, digest: &str, signature: &str| SwitchDecision::Device {
        profile: ProfileName::new(profile).unwrap(),
        device: device.id.clone(),
        verdict,
        digest: digest.to_owned(),
        signature: signature.to_owned(),
    };
    let deny = known.decision("ops", &card, Verdict::Deny);
    let SwitchDecision::Device { signature: denial, .. } = deny else { panic!("a device's") };
    for (why, decision) in [
        ("a stranger", stranger.decision("ops", &card, Verdict::Allow)),
        ("no signature", forged("ops", &known, Verdict::Allow, &digest, "")),
        ("another's signature", forged("ops", &stranger, Verdict::Allow, &digest, &signature)),
        ("a denial as a permission", forged("ops", &known, Verdict::Allow, &digest, &denial)),
        ("another profile", known.decision("personal", &card, Verdict::Allow)),
        ("a profile that does not exist", known.decision("nobody", &card, Verdict::Allow)),
        ("another digest", forged("ops", &known, Verdict::Allow, &"0".repeat(64), &signature)),
    ] {
        assert_eq!(refused(rig.decide(&asked.id, &decision).await).0, 403, "{why}");
    }
    // Signed, but about what was not shown.
    let mut other = card.clone();
    other.digest = "0".repeat(64);
    assert_eq!(refused(rig.decide(&asked.id, &known.decision("ops", &other, Verdict::Allow)).await).0, 409);
    // The decision about one confirmation is none about another.
    let second = rig.ask(BETA).await.unwrap();
    assert_eq!(refused(rig.decide(&second.id, &allow).await).0, 403);
    // A device that was revoked since.
    rig.config.askers[0].approvers.clear();
    rig.push().await.unwrap();
    assert_eq!(refused(rig.decide(&asked.id, &allow).await).0, 403);
    assert_eq!((rig.starts(), rig.status().await.last), (1, None));

    // What was asked under another configuration is over.
    rig.config.models.retain(|model| model.as_str() == ALPHA);
    rig.push().await.unwrap();
    assert_eq!(rig.outcome(&asked.id).await, Outcome::Superseded);
}

#[tokio::test]
async fn the_sockets_of_agents_give_only_what_they_should() {
    let rig = Rig::start().await;
    let (ops, personal) = (rig.agent("ops"), rig.agent("personal"));
    // A profile that may not ask has no such routes, and does not see what others asked.
    let asked = rig.ask(BETA).await.unwrap();
    let request = SwitchRequest { model: ModelId::new(BETA).unwrap(), reason: None };
    assert_eq!(refused(personal.post::<_, Value>("/switch", &request).await).0, 404);
    assert_eq!(refused(personal.get::<Value>("/switch").await).0, 404);
    assert_eq!(refused(personal.get::<Value>(&format!("/confirmations/{}", asked.id)).await).0, 404);
    // An agent has no route that decides, begins or checks.
    let card = rig.card(&asked.id).await;
    let word = SwitchDecision::Operator { user: "root".into(), verdict: Verdict::Allow, digest: card.digest.clone() };
    let refusal = refused(ops.post::<_, Value>(&format!("/confirmations/{}", asked.id), &word).await);
    assert_eq!(StatusCode::from_u16(refusal.0).unwrap(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused(ops.post::<_, Value>("/switch/check", &()).await).0, 404);
    let operator = OperatorSwitch { model: ModelId::new(BETA).unwrap(), user: "root".into() };
    assert_eq!(refused(ops.post::<_, Value>("/switch", &operator).await).0, 400);
    // Ids that would be more than a word of a command.
    for id in
        ["a b", "a;reboot", "$(reboot)", "`id`", "a' b", "a\"b", "--help", "../x", "tiny-lab/Bigram-1.4M.beta-v1.0 x"]
    {
        let (status, code, _) = refused(rig.ask(id).await);
        assert_eq!((status, code.as_str()), (404, "model_not_found"), "{id}");
    }
    for body in
        [json!({"model": "a\nswitch b"}), json!({"model": ""}), json!({"model": BETA, "from": ALPHA}), json!([])]
    {
        assert_eq!(refused(ops.post::<_, Value>("/switch", &body).await).0, 400, "{body}");
    }
    // Floods of questions are bounded, and bother no person for ever.
    for _ in 1..4 {
        rig.ask(BETA).await.unwrap();
    }
    assert_eq!(refused(rig.ask(BETA).await).0, 429);
    assert_eq!(rig.starts(), 1);
}
