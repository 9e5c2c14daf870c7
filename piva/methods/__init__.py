"""Methods: one file each, the scores it asks for and its direction. A method IS its settings."""

METHODS: dict[str, str] = {
    "sds": "piva.methods.sds:SDS",
    "nfsd": "piva.methods.nfsd:NFSD",
    "csd": "piva.methods.csd:CSD",
    "sds-bridge": "piva.methods.sds_bridge:SDSBridge",
    "vsd": "piva.methods.vsd:VSD",
    "lusd": "piva.methods.lusd:LUSD",
    "dds": "piva.methods.dds:DDS",
    "pds": "piva.methods.pds:PDS",
    "cds": "piva.methods.cds:CDS",
    "ids": "piva.methods.ids:IDS",
    "piva": "piva.methods.piva:Piva",
}
