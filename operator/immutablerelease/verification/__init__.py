"""Image reference -> digest -> evidence and verdict: is this image signed by whom the admin trusts.

The parsers (`reference`, `manifest`, `bundle`, `statement`, `simplesigning`, `keys`, `credentials`,
`challenge`) are pure: bytes in, data or a typed error out. `transport` and `registry` do the I/O,
`evaluation` judges what they found, `verifier` runs the whole.

What is signed is trusted only after its signature held; what could not be asked is Unknown, never
unsigned; nothing but positive evidence passes.
"""
