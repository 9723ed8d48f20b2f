"""Words that change nothing about whether a finding is there.

A sentence with a word that no list of this mapping knows is not coded: languages
have more ways to deny and to doubt than any list of cues, and an unknown word may
be one ("has been decompressed"). These words are known to be harmless.
"""

WORDS = frozenset(
    " ".join(
        (
            # small words
            "a an the this that these those which its their it there here is are",
            "was were be been being has have do does and or of in on at to into",
            "from with by for as since within along across through throughout",
            "both each all also again now still only just other another more most",
            "much than very quite less least some several multiple few many two",
            "three four five first second third fourth fifth sixth seventh eighth",
            "ninth tenth same",
            # seen, and how it looks
            "seen noted identified visualized visualised visible present evident",
            "demonstrated shown evidence observed appreciated detected persist",
            "persistent persisting persistently continue continued remain",
            "remained remaining residual redemonstrated redemonstration appear",
            "appeared appearing show lie lying located consist measure measuring",
            "measurement cm mm diameter approximately about up acute chronic",
            "recent recently known existing underlying overall finding change",
            "demonstrate reveal",
            # size, degree, shape
            "small tiny minimal minimally mild mildly moderate moderately large",
            "severe severely marked markedly massive sizable sizeable trace",
            "slight slightly mid extensive subtle faint dense hazy patchy streaky",
            "confluent focal multifocal diffuse diffusely scattered innumerable",
            "numerous bulky round rounded ovoid oval linear nodular irregular",
            "spiculated lobulated defined ill well circumscribed solid cavitary",
            "cavitating calcified noncalcified non sclerotic lytic dominant",
            "solitary single layering loculated subpulmonic partial partially",
            "complete completely near nearly total asymmetric asymmetrically",
            "symmetric symmetrical coarse fine heterogeneous homogeneous lobar",
            "segmental subsegmental basilar increasing worsening improving",
            "resolving decreasing tension component volume loss shift cavitation",
            "homogeneously predominantly primarily mainly greater lesser worst",
            "widespread",
            # comparison
            "new newly unchanged stable larger smaller bigger increased increase",
            "decreased decrease worse worsened improved better progressed",
            "progressive progression interval changed similar similarly compared",
            "comparison previously today exam examination study radiograph",
            "film image chest view frontal lateral pa ap portable conspicuous",
            "prominent prominence somewhat significantly significant",
            "substantially substantial size extent degree number position",
            "enlarged enlargement grown developed development become",
            "reaccumulated accumulated shifted moved resolve",
            "unaltered",
            # places that need no code
            "side sided lobe zone lung field area region portion aspect part",
            "upper middle lower medial anterior posterior superior inferior",
            "peripheral peripherally central centrally apical basal dependent",
            "lingula lingular retrocardiac supine upright bone soft tissue wall",
            "pleural based perihilar hemithorax thoracic costophrenic angle",
            "sulcus minor major heart cardiac mediastinal silhouette contour",
            "metallic neck stomach vena cava svc atrium ventricle cavoatrial",
            "junction brachiocephalic vein artery jugular internal subclavian",
            "coronary carina fundus abdomen abdominal gastric ij",
            # devices
            "tube catheter line lead tip device wire generator dual chamber",
            "biventricular tunneled transvenous surgical pigtail temporary",
            "permanent standard satisfactory appropriate expected good correct",
            "proper place placed placement inserted advanced repositioned",
            "retracted terminate terminating end ending project projecting course",
            "coursing pass passing extend extending intact overlying above below",
            "approach enteric support tracheostomy midline aortic mitral valve",
            "replacement prosthetic status post",
            # aorta and other descriptions of what is coded
            "atherosclerotic arterial mural arch knob ascending descending",
            "tortuous interstitial marking alveolar pulmonary parenchymal",
            "airspace bibasilar biapical pattern septal edge border margin",
            "distribution adjacent lymph node shadowing clear expanded normal",
        )
    ).split()
)
