"""Generated from proto/signer/v1 by proto/generate.sh: do not edit. Seen by the gRPC door and the client only."""
