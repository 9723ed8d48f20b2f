// OHIF beside one Orthanc on the same origin; no other host is named.
window.config = {
  routerBasename: null,
  extensions: [],
  modes: [],
  whiteLabeling: {
    createLogoComponentFn: React =>
      React.createElement(
        'span',
        { style: { color: '#fbbf24', fontSize: 14, whiteSpace: 'nowrap' } },
        'Research only, not for clinical use'
      ),
  },
  showStudyList: true,
  showErrorDetails: 'always',
  maxNumberOfWebWorkers: 2,
  // Boxes are loaded with the report; nobody is asked whether to track them.
  disableConfirmationPrompts: true,
  investigationalUseDialog: { option: 'never' },
  defaultDataSourceName: 'orthanc',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'orthanc',
      configuration: {
        friendlyName: 'Orthanc',
        name: 'orthanc',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        wadoUriRoot: '/wado',
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        qidoSupportsIncludeField: false,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        dicomUploadEnabled: false,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true, relativeResolution: 'studies' },
      },
    },
  ],
};
