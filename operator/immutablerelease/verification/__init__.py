"""Image reference -> digest -> evidence and verdict: is this image signed by whom the admin trusts.

The parsers (`reference`, `manifest`, `bundle`, `statement`, `attestation`, `provenance`,
`simplesigning`, `keys`, `credentials`, `challenge`) are pure: bytes in, data or a typed error out.
`transport` and `registry` do the I/O, `discovery` lists what is attached to an image, `evaluation`
and `attestations` judge it, `rules` has a process of its own judge what it says, `multiarch` leads
from an image to the index that lists it, `verifier` runs the whole.

What is signed is trusted only after its signature held; what could not be asked is Unknown, never
unsigned; nothing but positive evidence passes.
"""
