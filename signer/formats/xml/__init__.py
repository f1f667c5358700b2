"""XML signatures: the Ministry's profile of XMLDSig, and XAdES B-B and B-T (ETSI EN 319 132-1), enveloped, enveloping and detached.

W3C XML Signature 1.1; Canonical XML 1.0 and 1.1; Exclusive XML Canonicalization 1.0.

1. `reading.read`: the one door for a stranger's XML, with the bounds of what is read at all;
2. `examine.examine`: where the signature goes, what its canonical forms inherit there, and the digests of what it signs;
3. `template.XmlTemplate.prepare`: the canonical SignedInfo, whose digest the key signs;
4. `values.PreparedXml.stamped_bytes`: the canonical SignatureValue, whose digest a timestamp covers;
5. `template.XmlTemplate.additions`: what makes the signed file.

Steps 1 and 2 read what strangers send and belong into document workers; 3 to 5 parse nothing. No step needs another's state but its value.
Documents that have their markup in common, such as a class's records, take both steps once and then a shorter one (`alike`).

Rules of the room:
- a signed file is its original with insertions: no byte of it is written anew, so that earlier signatures stay what they are. A slot
  `<GVCN/>` becomes `<GVCN>…</GVCN>` by two insertions around its slash;
- what is signed is what the canonicalisation of the assembled file yields: canonical forms written here are held against lxml's, xmlsec1
  and signxml by tests;
- an Id that a signature references is the only one of its value in the document, whatever the attribute is called;
- no signature is placed inside what another one signs.
"""
