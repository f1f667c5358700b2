// Speaks to authenticators (W3C WebAuthn). A form with data-passkey ("get" or "create") and data-options is filled with the
// authenticator's answer, base64url, and sent by its button [data-ask].
"use strict";

function octets(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function withOctets(options) {
  options.challenge = octets(options.challenge);
  if (options.user) options.user.id = octets(options.user.id);
  for (const list of [options.allowCredentials, options.excludeCredentials])
    for (const each of list ?? []) each.id = octets(each.id);
  return options;
}

const ASK = {
  async get(publicKey) {
    const { rawId, response } = await navigator.credentials.get({ publicKey });
    return {
      passkey_id: rawId,
      authenticator_data: response.authenticatorData,
      client_data: response.clientDataJSON,
      signature: response.signature,
    };
  },
  async create(publicKey) {
    const { response } = await navigator.credentials.create({ publicKey });
    return { client_data: response.clientDataJSON, attestation: response.attestationObject };
  },
};

async function ask(form, button) {
  const failed = form.querySelector("[data-failed]");
  failed.hidden = true;
  try {
    const answer = await ASK[form.dataset.passkey](withOctets(JSON.parse(form.dataset.options)));
    for (const [name, value] of Object.entries(answer)) form.elements[name].value = text(value);
  } catch {
    failed.hidden = false;
    return;
  }
  form.dataset.answered = "yes";
  form.requestSubmit(button);
}

if (window.PublicKeyCredential)
  for (const button of document.querySelectorAll("[data-passkey] [data-ask]")) {
    const form = button.form;
    button.hidden = false;
    button.addEventListener("click", (event) => {
      if (form.dataset.answered) return;
      event.preventDefault();
      if (form.reportValidity()) ask(form, button);
    });
  }
