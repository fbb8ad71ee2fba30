import {Redirect} from '@docusaurus/router';
import React from 'react';

export default () => <Redirect to="/docs/intro" />;
