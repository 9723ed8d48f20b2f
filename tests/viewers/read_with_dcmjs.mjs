// Prints, as JSON, the boxes that dcmjs finds in a TID 1500 report.
// usage: node read_with_dcmjs.mjs NODE_MODULES REPORT.dcm
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const [modules, report] = process.argv.slice(2);
const require = createRequire(path.resolve(modules, 'any.js'));
const dcmjs = require('dcmjs');
const { DicomMessage, DicomMetaDictionary } = dcmjs.data;
const { MeasurementReport } = dcmjs.adapters.Cornerstone;

const list = value => (Array.isArray(value) ? value : [value]);
const code = item => list(item.ConceptNameCodeSequence)[0].CodeValue;

// dcmjs's own tools want a NUM, which our groups do not have: nothing is measured.
const box = {
  toolType: 'Box',
  utilityToolType: 'Box',
  getMeasurementData: group => {
    const items = list(group.ContentSequence);
    const named = wanted => items.find(item => code(item) === wanted);
    const region = items.find(item => item.ValueType === 'SCOORD');
    const image = list(list(region.ContentSequence)[0].ReferencedSOPSequence)[0];
    return {
      sentence: named('121106').TextValue,
      tracking_uid: named('112040').UID,
      points: Array.from(region.GraphicData),
      image: image.ReferencedSOPInstanceUID,
    };
  },
};
MeasurementReport.registerTool(box);

const bytes = fs.readFileSync(report);
const file = DicomMessage.readFile(
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
);
const dataset = DicomMetaDictionary.naturalizeDataset(file.dict);
dataset.ContentTemplateSequence = list(dataset.ContentTemplateSequence)[0];
console.log = () => {};
const state = MeasurementReport.generateToolState(dataset, { getToolClass: () => box });
process.stdout.write(JSON.stringify(state.Box));
