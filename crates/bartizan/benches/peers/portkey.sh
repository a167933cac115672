#!/bin/sh
# Portkey's gateway for `cargo xtask bench gateway --peer`. PORTKEY_HOME is where `npm install @portkey-ai/gateway` ran.
# It is told by headers where to go: --peer-header 'x-portkey-provider: openai'
# --peer-header 'x-portkey-custom-host: {upstream}' --peer-header 'authorization: Bearer none'.
exec node "${PORTKEY_HOME:?}/node_modules/@portkey-ai/gateway/build/start-server.js" --port="$PORT" --headless
