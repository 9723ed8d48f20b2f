"""Names of findings that get no code, and words that only look like a finding."""

UNCODED = (
    *("atelectasis", "atelectatic change", "collapse", "pneumonia", "pneumonitis"),
    *("bronchopneumonia", "aspiration", "emphysema", "emphysematous change"),
    *("subcutaneous emphysema", "soft tissue emphysema", "subcutaneous air"),
    *("subcutaneous gas", "copd", "bronchiectasis", "bronchial wall thickening"),
    *("peribronchial cuffing", "bronchial cuffing", "hyperinflation", "hyperinflated"),
    *("hyperexpanded", "hyperexpansion", "bulla", "bullae", "bullous change", "bleb"),
    *("cavity", "contusion", "hemorrhage", "granuloma", "granulomata"),
    *("granulomatous disease", "tuberculosis", "malignancy", "neoplasm", "cancer"),
    *(
        "carcinoma",
        "tumor",
        "tumour",
        "interstitial lung disease",
        "vascular congestion",
    ),
    *("venous congestion", "cephalization", "vascular redistribution", "congestion"),
    *("hydropneumothorax", "hemothorax", "haemothorax", "hemopneumothorax"),
    *("empyema", "pleural thickening", "pleural plaque", "plaque", "fracture"),
    *("fractured", "rib deformity", "compression deformity", "dislocation"),
    *("scoliosis", "kyphosis", "osteopenia", "osteophyte", "degenerative change"),
    *("degenerative disease", "spondylosis", "arthritis", "arthropathy", "hernia"),
    *("goiter", "goitre", "widened mediastinum", "mediastinal widening"),
    *(
        "mediastinum .. widened",
        "pneumoperitoneum",
        "free air",
        "pulmonary hypertension",
    ),
    *("elevated .. hemidiaphragm", "elevation .. hemidiaphragm", "eventration"),
    *("hemidiaphragm .. elevated", "sternal wire", "sternotomy wire", "sternotomy"),
    *("cerclage wire", "surgical hardware", "spinal hardware", "spinal fusion"),
    *("arthroplasty", "skin fold", "soft tissue edema"),
    *("subcutaneous edema", "chest wall edema", "joint effusion", "thyroid nodule"),
    *("breast implant", "loop recorder", "ecmo cannula", "impella", "bone density"),
    *("skin lesion", "breast mass"),
)
"""Findings without a code in pydicom's dictionaries.

They make "effusion and atelectasis" two findings, hence neutral.
"""

LOOK_ALIKES = (*("mass effect", "mass like", "heart border"),)
"""Words that hold the name of a finding and are none."""
